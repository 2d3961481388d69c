"""CustomResourceDefinitions: our own, and those of the Gateway API."""

import asyncio
from collections.abc import Sequence

from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import Manifest
from steerway.kubecheck.result import Result, error, ok, skipped, warning
from steerway.sources.kubernetes.resource import (
    BACKEND_TLS_POLICIES,
    GRPC_ROUTES,
    HTTP_ROUTES,
    OUR_KINDS,
    REFERENCE_GRANTS,
    Resource,
)
from steerway.sources.policy import crd

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_APPLY = "steerway crd | kubectl apply --server-side --force-conflicts --filename -"
_GATEWAY = (GRPC_ROUTES, HTTP_ROUTES, REFERENCE_GRANTS, BACKEND_TLS_POLICIES)
_BUNDLE = "gateway.networking.k8s.io/bundle-version"
_CHANNEL = "gateway.networking.k8s.io/channel"


async def our_kinds(context: Context) -> Sequence[Result]:
    if not context.installed.settings.kubernetes.policies:
        return [skipped("policies are not read (kubernetes.policies)")]
    results = [result for kind in OUR_KINDS for result in await _our_kind(context, kind)]
    listed = ", ".join(kind.kind for kind in OUR_KINDS)
    return results or [ok(f"{listed} are defined, with the schemas of this version")]


async def _our_kind(context: Context, kind: Resource) -> Sequence[Result]:
    """What is wrong with the definition of one kind."""
    definition = await _definition(context, kind)
    ours = crd.BY_KIND[kind.kind]
    if definition is None:
        return [
            error(f"the CustomResourceDefinition of {kind.kind} does not exist", _APPLY, crd.document(ours))
        ]
    results = _unusable(definition, kind)
    if results:
        return results
    (wanted,) = crd.manifest(ours)["spec"]["versions"]
    present = next(item for item in definition["spec"]["versions"] if item["name"] == wanted["name"])
    if present["schema"] != wanted["schema"]:
        reason = f"the schema of {kind.kind} is that of another version: fields are lost or not validated"
        return [error(reason, _APPLY, crd.document(ours))]
    if present.get("subresources") != wanted["subresources"]:
        return [error(f"{kind.kind} has no status subresource", _APPLY, crd.document(ours))]
    return []


async def gateway_api(context: Context) -> Sequence[Result]:
    if not context.installed.settings.kubernetes.policies:
        return [skipped("routes of the Gateway API are not read (kubernetes.policies)")]
    definitions = await asyncio.gather(*(_definition(context, kind) for kind in _GATEWAY))
    present = {
        kind: definition
        for kind, definition in zip(_GATEWAY, definitions, strict=True)
        if definition is not None
    }
    if not present:
        hint = "nothing to do, unless you want routes: install the standard channel of the Gateway API"
        return [skipped("the Gateway API is not installed: there are no routes", hint)]
    results = [result for kind, definition in present.items() for result in _unusable(definition, kind)]
    bundles = {_bundle(definition) for definition in present.values()}
    if len(bundles) > 1:
        hint = "install one version of all its definitions"
        listed = ", ".join(sorted(bundles))
        results.append(warning(f"definitions of the Gateway API have several versions: {listed}", hint))
    missing = [kind.kind for kind in _GATEWAY if kind not in present]
    note = f"; without {', '.join(missing)}" if missing else ""
    return results or [ok(f"Gateway API {', '.join(bundles)} is installed{note}")]


def _bundle(definition: Manifest) -> str:
    annotations = definition["metadata"].get("annotations") or {}
    channel = annotations.get(_CHANNEL)
    return str(annotations.get(_BUNDLE, "of unknown version")) + (f" ({channel})" if channel else "")


async def _definition(context: Context, kind: Resource) -> Manifest | None:
    return await context.reader.get(f"{PATH}/{kind.plural}.{kind.group}")


def _unusable(definition: Manifest, kind: Resource) -> list[Result]:
    """Why no version that steerway reads is served."""
    name = f"{kind.plural}.{kind.group}"
    fix = _APPLY if kind in OUR_KINDS else "upgrade the definitions of the Gateway API"
    conditions = {item["type"]: item for item in (definition.get("status") or {}).get("conditions") or []}
    for condition in ("NamesAccepted", "Established"):
        state = conditions.get(condition) or {}
        if state.get("status") != "True":
            reason = state.get("message") or f"{condition} is not True"
            return [
                error(f"the definition {name} is not in effect: {reason}", f"kubectl describe crd {name}")
            ]
    served = [version["name"] for version in definition["spec"]["versions"] if version["served"]]
    wanted = [version.api_version.rpartition("/")[2] for version in kind.versions]
    if not set(served) & set(wanted):
        reason = f"{name} serves {', '.join(served) or 'no version'}, and steerway reads {', '.join(wanted)}"
        return [error(reason, fix, crd.document(crd.BY_KIND[kind.kind]) if kind in OUR_KINDS else "")]
    return []
