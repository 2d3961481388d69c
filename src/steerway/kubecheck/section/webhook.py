"""The injection webhook: its configuration, the Service that it calls, and the certificate."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence

from steerway.certificate.bundle import certificates
from steerway.certificate.pair import Pair, UnusableError
from steerway.injection.certificate.material import CA, SERVING_CERTIFICATE, SERVING_KEY
from steerway.injection.certificate.webhook import WEBHOOKS, calls_service
from steerway.kubecheck.certificate import lifetime, secret_file
from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import Manifest
from steerway.kubecheck.result import Result, error, ok, skipped

_UPGRADE = "upgrade the release with injection.enabled=true"


async def configuration(context: Context) -> Sequence[Result]:
    if _is_off(context):
        return [skipped("injection is off (injection.listen)")]
    settings, namespace = context.installed.settings.injection, context.installed.namespace
    where = f"MutatingWebhookConfiguration {settings.webhook}"
    manifest = await context.reader.get(f"{WEBHOOKS}/{settings.webhook}")
    if manifest is None:
        return [error(f"{where} does not exist: pods get no bootstrap", _UPGRADE)]
    webhooks = _webhooks(manifest, namespace, settings.service)
    if not webhooks:
        reason = f"{where} does not call Service {namespace}/{settings.service}"
        return [error(reason, f"correct its clientConfig.service, or {_UPGRADE}")]
    service = await context.reader.get(f"/api/v1/namespaces/{namespace}/services/{settings.service}")
    return [*_called(where, webhooks, service, f"{namespace}/{settings.service}")] or [
        ok(f"{where} calls Service {namespace}/{settings.service}")
    ]


def _called(
    where: str, webhooks: Sequence[Manifest], service: Manifest | None, service_name: str
) -> Iterator[Result]:
    if service is None:
        yield error(f"Service {service_name}, which {where} calls, does not exist", _UPGRADE)
        return
    ports = {int(port["port"]) for port in service["spec"].get("ports") or []}
    for webhook in webhooks:
        port = int(webhook["clientConfig"]["service"].get("port") or 443)
        if port not in ports:
            reason = (
                f"{where}: webhook {webhook['name']} calls port {port}, which Service {service_name} lacks"
            )
            yield error(reason, f"correct the port: {', '.join(map(str, sorted(ports)))}")
        if webhook.get("failurePolicy") != "Ignore":
            reason = f"{where}: failurePolicy of {webhook['name']} is {webhook.get('failurePolicy')}:"
            hint = "set failurePolicy to Ignore; upgrade the release"
            yield error(f"{reason} no pod starts while steerway is not available", hint)


async def ca_bundle(context: Context) -> Sequence[Result]:
    """The `caBundle` has the CA of the certificate that is served."""
    if _is_off(context):
        return [skipped("injection is off (injection.listen)")]
    settings, namespace = context.installed.settings.injection, context.installed.namespace
    manifest = await context.reader.get(f"{WEBHOOKS}/{settings.webhook}") or {}
    bundles = [
        b64decode(webhook["clientConfig"].get("caBundle") or "")
        for webhook in _webhooks(manifest, namespace, settings.service)
    ]
    trusted = [set(certificates(bundle)) for bundle in bundles]
    wanted = await _authority(context)
    if wanted is None:
        return [skipped("the CA of the webhook's certificate is in no Secret: caBundle was not compared")]
    if not wanted:
        return [error("the Secret of the webhook has no CA certificate yet", "check the Lease, and its log")]
    if all(wanted[0] in bundle for bundle in trusted):
        return [ok("caBundle has the CA of the webhook's certificate")]
    reason = "caBundle lacks the CA of the webhook's certificate: API servers do not call it"
    patch = b64encode(b"".join(wanted)).decode()
    operations = ",".join(
        f'{{"op":"add","path":"/webhooks/{index}/clientConfig/caBundle","value":"{patch}"}}'
        for index in range(len(manifest.get("webhooks") or []))
    )
    command = (
        f"kubectl patch mutatingwebhookconfiguration {settings.webhook} --type json --patch '[{operations}]'"
    )
    hint = "the replica with the Lease writes it: check Lease and permissions"
    return [error(reason, hint if settings.certificate is None else command)]


async def certificate(context: Context) -> Sequence[Result]:
    if _is_off(context):
        return [skipped("injection is off (injection.listen)")]
    installed, settings = context.installed, context.installed.settings.injection
    renew = "check the Lease and the permissions: the replica with the Lease renews it"
    if settings.certificate is not None and settings.key is not None:
        certificate = await secret_file(context, str(settings.certificate))
        key = await secret_file(context, str(settings.key))
        renew = "renew it where it is issued (cert-manager), or give another one"
        where = f"the certificate of the webhook ({settings.certificate})"
    else:
        where = f"the certificate of the webhook (Secret {installed.namespace}/{settings.secret})"
        path = f"/api/v1/namespaces/{installed.namespace}/secrets/{settings.secret}"
        secret = await context.reader.get(path)
        if secret is None:
            return [error(f"Secret {installed.namespace}/{settings.secret} does not exist", _UPGRADE)]
        data = secret.get("data") or {}
        certificate = b64decode(data.get(SERVING_CERTIFICATE) or "")
        key = b64decode(data.get(SERVING_KEY) or "")
    if certificate is None or key is None:
        return [skipped(f"{where} is in no Secret: not checked")]
    try:
        pair = Pair(certificate, key)
    except UnusableError as failure:
        return [error(f"{where} cannot be used: {failure}", renew)]
    name = f"{settings.service}.{installed.namespace}.svc"
    if name not in pair.names:
        return [error(f"{where} has no name {name}", f"issue it for this name; {renew}")]
    return [lifetime(where, certificate, context.now, renew)]


async def _authority(context: Context) -> tuple[bytes, ...] | None:
    """CA certificates, the one in use first; None if no Secret has them."""
    installed, settings = context.installed, context.installed.settings.injection
    if settings.certificate is not None:
        folder = settings.certificate.parent
        content = await secret_file(context, str(folder / CA))
        return None if content is None else certificates(content)
    path = f"/api/v1/namespaces/{installed.namespace}/secrets/{settings.secret}"
    secret = await context.reader.get(path) or {}
    return certificates(b64decode((secret.get("data") or {}).get(CA) or ""))


def _webhooks(manifest: Manifest, namespace: str, service: str) -> list[Manifest]:
    return [item for item in manifest.get("webhooks") or [] if calls_service(item, namespace, service)]


def _is_off(context: Context) -> bool:
    return context.installed.settings.injection.listen is None
