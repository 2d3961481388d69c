"""What an installation by the chart needs: permissions of the user, free names, admission of its pods."""

import asyncio
from collections.abc import Sequence

from steerway.config import AuthenticationSettings, KubernetesSettings, Settings
from steerway.kubecheck import installation, review
from steerway.kubecheck.chart import Created, created, full_name, pod
from steerway.kubecheck.context import Context
from steerway.kubecheck.permission import Permission, permissions
from steerway.kubecheck.reader import Manifest, UnreadableError
from steerway.kubecheck.result import Result, error, ok, skipped, warning
from steerway.kubecheck.review import Subject
from steerway.kubecheck.section.definition import PATH as DEFINITIONS
from steerway.sources.policy import crd

_USER = Subject()
_NO_PERMISSION = "cannot create resource"
_NAMESPACED = "install for one namespace: deploy the chart with values-namespaced.yaml"


async def user(context: Context) -> Sequence[Result]:
    """The user may create what the chart creates, and may give steerway its permissions."""
    needed = [
        Permission(
            item.group, item.plural, ("create",), context.namespace if item.namespace else None, item.purpose
        )
        for item in created(context.injection)
    ]
    lacking = await review.missing(context.reader, _USER, needed)
    results = [
        error(
            f"your user may not {permission.text}: {permission.feature}",
            _grant(permission) + ("" if permission.namespace else f"; or {_NAMESPACED}"),
        )
        for permission in lacking
    ]
    if not lacking:
        results += await _escalation(context)
    return results or [ok(f"your user may create the {len(needed)} kinds of objects of the chart")]


async def _escalation(context: Context) -> Sequence[Result]:
    """The API server refuses a role with permissions that its creator does not have (RBAC, "Privilege escalation
    prevention")."""
    bypass = Permission("rbac.authorization.k8s.io", "clusterroles", ("escalate",), None, "roles")
    if not await review.missing(context.reader, _USER, [bypass]):
        return []
    lacking = await review.missing(context.reader, _USER, permissions(default_settings(), context.namespace))
    if not lacking:
        return []
    listed = "; ".join(permission.text for permission in lacking)
    hint = f"install as an administrator of the cluster, or {_grant(bypass)}"
    return [error(f"your user may not give steerway permissions that it does not have: {listed}", hint)]


def _grant(permission: Permission) -> str:
    (rule,) = review.rules([permission])
    shown = ", ".join(f"{key}: [{', '.join(map(repr, values))}]" for key, values in rule.items())
    return f"add {{{shown}}} to the rules of a role of this user"


def default_settings() -> Settings:
    """Those of the chart, as far as they need permissions."""
    return Settings(
        kubernetes=KubernetesSettings(enabled=True, namespaces=("all",)),
        authentication=AuthenticationSettings(pod_address="plaintext"),
    )


async def definition(context: Context) -> Sequence[Result]:
    """The definitions of our kinds are absent, or belong to this release."""
    return [await _definition(context, ours) for ours in crd.DEFINITIONS]


async def _definition(context: Context, ours: crd.Definition) -> Result:
    manifest = await context.reader.get(f"{DEFINITIONS}/{ours.name}")
    if manifest is None:
        return ok(f"the definition {ours.name} does not exist yet")
    served = {item["name"] for item in manifest["spec"]["versions"]}
    (wanted,) = crd.manifest(ours)["spec"]["versions"]
    if wanted["name"] not in served:
        hint = f"uninstall what has created it: kubectl describe crd {ours.name}"
        return error(
            f"the definition {ours.name} exists, in other versions: {', '.join(sorted(served))}", hint
        )
    if _belongs(manifest, context):
        return ok(f"the definition {ours.name} belongs to this release")
    hint = (
        "install with --set crds.enabled=false and `steerway crd | kubectl apply`, or helm --take-ownership"
    )
    return error(f"the definition {ours.name} exists and does not belong to the release", hint)


async def names(context: Context) -> Sequence[Result]:
    """No object of the chart exists already, except as one of this release."""
    name = full_name(context.release)
    objects = [
        (item, path)
        for item in created(context.injection)
        if (path := item.path(context.namespace, name)) is not None
    ]
    present = await asyncio.gather(*(context.reader.get(path) for _, path in objects))
    foreign: list[str] = []
    own: list[str] = []
    for (item, path), manifest in zip(objects, present, strict=True):
        if manifest is not None:
            (own if _belongs(manifest, context) else foreign).append(_shown(item, path, context))
    if foreign:
        hint = (
            "delete them, install with another name of the release, or let Helm take them: --take-ownership"
        )
        return [error(f"objects of these names exist already: {', '.join(foreign)}", hint)]
    if own:
        hint = f"helm upgrade {context.release} --namespace {context.namespace}, instead of helm install"
        return [warning(f"the release {context.release} is installed in {context.namespace} already", hint)]
    return [ok(f"names of the release {context.release} in namespace {context.namespace} are free")]


def _shown(item: Created, path: str, context: Context) -> str:
    where = f"{context.namespace}/" if item.namespace else ""
    return f"{item.plural} {where}{path.rpartition('/')[2]}"


def _belongs(manifest: Manifest, context: Context) -> bool:
    """Helm refuses objects without these annotations."""
    annotations = manifest["metadata"].get("annotations") or {}
    owner = (
        annotations.get("meta.helm.sh/release-name"),
        annotations.get("meta.helm.sh/release-namespace"),
    )
    return owner == (context.release, context.namespace)


async def others(context: Context) -> Sequence[Result]:
    """Other installations in the cluster, which serve the same Services and would write the same status."""
    deployments = await installation.find(context.reader, "")
    own = (context.namespace, full_name(context.release))
    others = [
        f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in deployments
        if (item["metadata"]["namespace"], item["metadata"]["name"]) != own
    ]
    if not others:
        return [ok("there is no other installation in the cluster")]
    hint = "limit each to namespaces of its own (settings.kubernetes.namespaces), or other filters"
    return [warning(f"there are other installations: {', '.join(others)}", hint)]


async def admission(context: Context) -> Sequence[Result]:
    """Pod Security, quotas and policies accept a pod of the chart: a dry run."""
    path = f"/api/v1/namespaces/{context.namespace}"
    namespace = await context.reader.get(path)
    if namespace is None:
        create = f"helm install --create-namespace, or kubectl create namespace {context.namespace}"
        return [skipped(f"namespace {context.namespace} does not exist yet: {create}")]
    if "deletionTimestamp" in namespace["metadata"]:
        hint = "wait until it is gone"
        return [error(f"namespace {context.namespace} is being deleted: nothing can be created in it", hint)]
    try:
        await context.reader.post(f"{path}/pods", pod(context.namespace), {"dryRun": "All"})
    except UnreadableError as failure:
        # Admission answers 403, too; only the message differs from that of a permission that the user lacks.
        if failure.status is None or _NO_PERMISSION in str(failure):
            raise
        hint = "change the policy, quota or label pod-security.kubernetes.io/enforce of the namespace, or the values"
        return [error(f"namespace {context.namespace} does not admit a pod of the chart: {failure}", hint)]
    return [ok(f"namespace {context.namespace} admits pods of the chart")]
