"""Certificates of the xDS server and the token of the admin server, from the Secrets that the pods mount."""

from collections.abc import Sequence

from steerway.certificate.pair import Pair, UnusableError
from steerway.kubecheck.certificate import lifetime, secret_file
from steerway.kubecheck.context import Context
from steerway.kubecheck.result import Result, error, ok, skipped, warning

_RENEW = "renew it in its Secret; replicas read it again within seconds"


async def xds(context: Context) -> Sequence[Result]:
    tls = context.installed.settings.tls
    if tls.certificate is None or tls.key is None:
        return [skipped("the xDS server has no TLS (tls.certificate)")]
    certificate = await secret_file(context, str(tls.certificate))
    key = await secret_file(context, str(tls.key))
    where = f"the certificate of the xDS server ({_source(context, str(tls.certificate))})"
    if certificate is None or key is None:
        return [skipped(f"{where} is in no Secret: not checked")]
    if not certificate or not key:
        return [
            error(f"{where} does not exist: no replica starts", "create the Secret with tls.crt and tls.key")
        ]
    try:
        pair = Pair(certificate, key)
    except UnusableError as failure:
        return [error(f"{where} cannot be used: {failure}", _RENEW)]
    results = [lifetime(where, certificate, context.now, _RENEW)]
    hosts = _hosts(context)
    if not set(pair.names) & set(hosts):
        reason = f"{where} has none of the names of the Service: {', '.join(hosts)}"
        results.append(warning(reason, "issue it for the name that clients have in --server"))
    if tls.client_ca is not None:
        results += await _client_ca(context, str(tls.client_ca))
    return results


async def _client_ca(context: Context, path: str) -> Sequence[Result]:
    where = f"the CA of client certificates ({_source(context, path)})"
    content = await secret_file(context, path)
    if content is None:
        return [skipped(f"{where} is in no Secret: not checked")]
    if not content:
        return [error(f"{where} does not exist: no replica starts", "add ca.crt to the Secret")]
    return [lifetime(where, content, context.now, "add the next CA, and remove this one after its clients")]


async def admin_token(context: Context) -> Sequence[Result]:
    path = context.installed.settings.admin_token_file
    if path is None:
        return [skipped("the admin server requires no token (admin_token_file)")]
    token = await secret_file(context, str(path))
    where = f"the token of the admin server ({_source(context, str(path))})"
    if token is None:
        return [skipped(f"{where} is in no Secret: not checked")]
    if not token.strip():
        return [
            error(f"{where} does not exist: no replica starts", "create the Secret, or upgrade the release")
        ]
    return [ok(f"{where} exists")]


def _source(context: Context, path: str) -> str:
    source = context.installed.secret_key(path)
    return path if source is None else f"Secret {context.installed.namespace}/{source[0]}, {source[1]}"


def _hosts(context: Context) -> list[str]:
    """Names of the Service: the objects of the chart have one name."""
    name, namespace = context.installed.name, context.installed.namespace
    domain = context.installed.settings.cluster_domain
    service = f"{name}.{namespace}"
    return [service, f"{service}.svc", f"{service}.svc.{domain}"]
