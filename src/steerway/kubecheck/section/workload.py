"""Certificates of workloads: the API that they need, the signer, and the roots."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from steerway.certificate.bundle import certificates
from steerway.certificate.pair import parsed
from steerway.kubecheck.certificate import lifetime
from steerway.kubecheck.context import Context
from steerway.kubecheck.installation import DEPLOYMENTS
from steerway.kubecheck.reader import Manifest
from steerway.kubecheck.result import Result, error, ok, skipped, warning
from steerway.signer.authority.bundle import bundle_name

SELECTOR = "app.kubernetes.io/name=steerway-signer"
"""The label of the chart's signer."""
_GROUP = "/apis/certificates.k8s.io/v1"
_KINDS = {"podcertificaterequests": "PodCertificateRequest", "clustertrustbundles": "ClusterTrustBundle"}
_PATIENCE = timedelta(minutes=1)
"""After which a request without an answer is one that waits."""
_UNUSED = skipped(
    "workloads get no certificates of steerway (signer.enabled of the chart, injection.certificates)"
)


async def api(context: Context) -> Sequence[Result]:
    """The API server has the two kinds: without them, the rest of steerway works."""
    if not await _is_used(context):
        return [_UNUSED]
    document = await context.reader.get(_GROUP) or {}
    served = {resource["name"] for resource in document.get("resources") or []}
    absent = [kind for plural, kind in _KINDS.items() if plural not in served]
    if absent:
        reason = f"the API server does not serve {', '.join(absent)} of certificates.k8s.io/v1"
        return [
            error(
                f"{reason}: pods with certificates do not start",
                "upgrade the cluster to Kubernetes 1.37, or remove them from kube-apiserver --runtime-config; until"
                " then, set injection.certificates to false, and use cert-manager's csi-driver-spiffe or SPIRE",
            )
        ]
    return [ok(f"{' and '.join(_KINDS.values())} are served")]


async def signer(context: Context) -> Sequence[Result]:
    """A replica runs, and no request waits."""
    if not await _is_used(context):
        return [_UNUSED]
    name = context.installed.settings.identity.signer_name
    namespace = context.installed.namespace
    deployment = await _deployment(context)
    results: list[Result] = []
    if deployment is None:
        hint = f"set signer.enabled, unless another program issues certificates of {name}"
        results.append(warning(f"namespace {namespace} has no signer", hint))
    else:
        where = f"the signer {namespace}/{deployment['metadata']['name']}"
        ready = int((deployment.get("status") or {}).get("readyReplicas") or 0)
        if not ready:
            hint = f"kubectl logs --namespace {namespace} --selector {SELECTOR}"
            return [error(f"{where} has no replica that is ready: no certificates are issued", hint)]
        results.append(ok(f"{where} has {ready} ready replica{'' if ready == 1 else 's'}"))
    waiting = await _waiting(context, name)
    if waiting:
        shown = ", ".join(waiting[:3]) + (f" and {len(waiting) - 3} more" if len(waiting) > 3 else "")
        hint = "its Events have the reason: kubectl describe podcertificaterequest NAME"
        results.append(warning(f"requests of certificates wait for an answer: {shown}", hint))
    return results


async def roots(context: Context) -> Sequence[Result]:
    """The ClusterTrustBundle exists, and its newest root is valid for long enough."""
    if not await _is_used(context):
        return [_UNUSED]
    name = bundle_name(context.installed.settings.identity.signer_name)
    where = f"ClusterTrustBundle {name}"
    manifest = await context.reader.get(f"{_GROUP}/clustertrustbundles/{name}")
    if manifest is None:
        hint = "check the signer, which creates it, and identity.signer_name"
        return [error(f"{where} does not exist: pods with certificates do not start", hint)]
    present = certificates(manifest["spec"]["trustBundle"].encode())
    if not present:
        return [error(f"{where} has no root that can be read", "delete it: the signer creates it again")]
    newest = f"the newest root of {where}"
    return [lifetime(newest, max(present, key=_end), context.now, "check the signer, which replaces it")]


def _end(certificate: bytes) -> datetime:
    return parsed(certificate).not_valid_after_utc


async def _is_used(context: Context) -> bool:
    injection = context.installed.settings.injection
    return (injection.listen is not None and injection.certificates) or bool(await _deployment(context))


async def _deployment(context: Context) -> Manifest | None:
    where = DEPLOYMENTS.format(f"/namespaces/{context.installed.namespace}")
    return next(iter(await context.reader.list(where, SELECTOR)), None)


async def _waiting(context: Context, signer_name: str) -> list[str]:
    """Requests without an answer, as NAMESPACE/NAME."""
    return sorted(
        f"{request['metadata']['namespace']}/{request['metadata']['name']}"
        for request in await context.reader.list(f"{_GROUP}/podcertificaterequests")
        if request["spec"]["signerName"] == signer_name
        and not (request.get("status") or {}).get("conditions")
        and context.now - datetime.fromisoformat(request["metadata"]["creationTimestamp"]) > _PATIENCE
    )
