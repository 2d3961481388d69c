"""Contradictions between valid settings: those that exclude each other, require another, or have no effect."""

from collections.abc import Iterator, Mapping
from typing import Any

from steerway.config.collision import collisions
from steerway.config.document import Given
from steerway.config.setting import SETTINGS

_WITHOUT_CERTIFICATE = "without client certificates: set authentication.certificate"
_WITHOUT_TOKENS = "without service account tokens: set authentication.service_account to token_review or jwks"
_WITHOUT_WAIT = f"{_WITHOUT_TOKENS}, or authentication.pod_address to plaintext or all"
_WITHOUT_CLUSTERS = "without remote clusters: set clusters"
_WITHOUT_WEBHOOK = "without the injection webhook: set injection.listen"
_WITHOUT_TLS_SERVERS = "without servers with TLS: set injection.tls_servers"
_WITHOUT_JWKS = "without verification by JWKS: set authentication.service_account to jwks"
_WITHOUT_TRACES = "without traces: set tracing.enabled"
_DAY_SECONDS = 86400
_SWITCHES = ("kubernetes.enabled", "tracing.enabled")
_METHODS = [f"authentication.{name}" for name in ("certificate", "token_file", "unix_socket")]
"""Methods of authentication whose value is true or false."""


def contradictions(values: Mapping[str, Any], given: Mapping[str, Given]) -> list[str]:
    """One error per contradiction. `values` are the valid settings, `given` all settings with their origin."""
    errors = []
    for quiet, longest in (("endpoint_quiet", "endpoint_max"), ("quiet", "max")):
        names = [f"debounce.{quiet}_seconds", f"debounce.{longest}_seconds"]
        low, high = (values.get(name, SETTINGS[name].default) for name in names)
        if low > high and all(name in values or name not in given for name in names):
            where = next(given[name].where for name in names if name in given)
            errors.append(
                f"{where} leaves {names[0]} ({low:g}) above {names[1]} ({high:g}): change one of them"
            )
    namespaces = values.get("kubernetes.namespaces", ())
    if "all" in namespaces and len(namespaces) > 1:
        errors.append(
            f"{given['kubernetes.namespaces'].where} must be namespaces, or all alone, not both: remove one"
        )
    if values.get("namespace_selector") and values.get("kubernetes.enabled") and namespaces != ("all",):
        errors.append(
            f"{given['namespace_selector'].where} requires all namespaces: set kubernetes.namespaces to all"
        )
    names = [cluster.name for cluster in values.get("clusters", ())]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        errors.append(
            f"{given['clusters'].where} has the name {', '.join(twice)} twice: give each cluster a unique name"
        )
    checks = (collisions, _idle, _tls, _plaintext, _authentication, _injection, _lifetimes)
    return [*errors, *(error for check in checks for error in check(values, given))]


def _lifetimes(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """A CA is replaced when a third of its life remains, and must outlive what it issues then."""
    pairs = (
        ("signer.leaf_seconds", 1, "signer.intermediate_days"),
        ("signer.intermediate_days", _DAY_SECONDS, "signer.root_days"),
    )
    for lower, seconds, upper in pairs:
        issued, issuer = (values.get(name, SETTINGS[name].default) for name in (lower, upper))
        where = next((given[name].where for name in (lower, upper) if name in values), None)
        if where is not None and issued * seconds * 3 > issuer * _DAY_SECONDS:
            yield f"{where} leaves {lower} ({issued}) above a third of {upper} ({issuer}): change one of them"


def _idle(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """Settings without effect, given the other settings."""
    verifies = values.get("authentication.service_account", "off")
    kubernetes = "kubernetes.enabled" in given or verifies != "off" or values.get("clusters")
    rules = (
        ("cluster_policy", values.get("clusters"), _WITHOUT_CLUSTERS),
        ("remote_stale_seconds", values.get("clusters"), _WITHOUT_CLUSTERS),
        ("remote_sync_timeout_seconds", values.get("clusters"), _WITHOUT_CLUSTERS),
        ("kubernetes.", kubernetes, "without Kubernetes: add --kubernetes (kubernetes.enabled)"),
        ("authentication.trust_domains", values.get("authentication.certificate"), _WITHOUT_CERTIFICATE),
        ("authentication.audiences", verifies != "off", _WITHOUT_TOKENS),
        ("authentication.timeout_seconds", verifies != "off" or _by_address(values), _WITHOUT_WAIT),
        ("authentication.review_cache_seconds", verifies != "off", _WITHOUT_TOKENS),
        ("authentication.jwks", verifies == "jwks", _WITHOUT_JWKS),
        ("authentication.issuer", verifies == "jwks", _WITHOUT_JWKS),
        ("injection.", values.get("injection.listen"), _WITHOUT_WEBHOOK),
        ("injection.ca", values.get("injection.tls_servers"), _WITHOUT_TLS_SERVERS),
        ("tracing.", values.get("tracing.enabled"), _WITHOUT_TRACES),
        ("injection.token_audience", values.get("injection.tls_servers"), _WITHOUT_TLS_SERVERS),
    )
    for prefix, used, why in rules:
        idle = [name for name in values if name.startswith(prefix) and name not in _SWITCHES]
        if idle and not used:
            yield f"{given[idle[0]].where} has no effect {why}"


def _tls(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """TLS settings that require another."""
    needs = (
        ("tls.certificate", "tls.key", "needs its private key: set tls.key"),
        ("tls.key", "tls.certificate", "needs its certificate: set tls.certificate"),
        ("tls.client_ca", "tls.certificate", "has no effect without TLS: set tls.certificate and tls.key"),
        (
            "tls.require_client_certificate",
            "tls.client_ca",
            "needs CA certificates for client certificates: set tls.client_ca",
        ),
        (
            "authentication.certificate",
            "tls.client_ca",
            "needs CA certificates for client certificates: set tls.client_ca",
        ),
    )
    for name, other, reason in needs:
        if values.get(name) and not values.get(other) and other not in _failed(values, given):
            yield f"{given[name].where} {reason}"


def _plaintext(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """Addresses without TLS that bypass that of `listen`."""
    addresses = values.get("plaintext_listen", ())
    if addresses and values.get("tls.require_client_certificate") and not _authenticates(values):
        yield (
            f"{given['plaintext_listen'].where} admits clients without the certificate that"
            " tls.require_client_certificate requires: enable authentication"
        )
    by_address = _by_address(values) or "authentication.pod_address" in _failed(values, given)
    if addresses and _authenticates(values) and not _tokens(values) and not by_address:
        yield (
            f"{given['plaintext_listen'].where} admits no client, because certificates need TLS: set"
            " authentication.pod_address to plaintext, or enable tokens"
        )


def _authentication(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """Authentication settings that require another, and rules without authentication."""
    if values.get("authentication.jwks") and not values.get("authentication.issuer"):
        yield f"{given['authentication.jwks'].where} needs the issuer of the tokens: set authentication.issuer"
    if _by_address(values):
        yield from _pod_address(values, given["authentication.pod_address"].where)
    if values.get("authorization.rules") and not _authenticates(values):
        hint = (
            f"enable one of {', '.join(_METHODS)}, authentication.service_account, authentication.pod_address"
        )
        yield f"{given['authorization.rules'].where} has no effect without authentication: {hint}"


def _pod_address(values: Mapping[str, Any], where: str) -> Iterator[str]:
    """What authentication by address requires."""
    if not values.get("kubernetes.enabled"):
        yield f"{where} needs the Pods of an API server: add --kubernetes (kubernetes.enabled)"
    listen = values.get("listen", SETTINGS["listen"].default)
    of_tls = [address for address in listen if not address.startswith("unix:")]
    plaintext = [*values.get("plaintext_listen", ()), *([] if values.get("tls.certificate") else of_tls)]
    if values["authentication.pod_address"] == "plaintext" and not plaintext:
        yield f"{where} has no effect without an address in plaintext: set plaintext_listen, or all instead"
    elif not plaintext and not of_tls:
        yield f"{where} has no effect on Unix sockets: add HOST:PORT to listen"


def _by_address(values: Mapping[str, Any]) -> bool:
    """Whether the address of a pod authenticates."""
    return bool(values.get("authentication.pod_address", "off") != "off")


def _tokens(values: Mapping[str, Any]) -> bool:
    """Whether tokens are accepted."""
    return values.get("authentication.service_account", "off") != "off" or bool(
        values.get("authentication.token_file")
    )


def _authenticates(values: Mapping[str, Any]) -> bool:
    """Whether any method of authentication is on."""
    return _tokens(values) or _by_address(values) or any(map(values.get, _METHODS))


def _injection(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """Injection settings that require another."""
    if not values.get("injection.listen"):
        return
    where = given["injection.listen"].where
    wanted = values.get("injection.credentials", SETTINGS["injection.credentials"].default)
    servers = "injection.tls_servers" if wanted == "tls" else "injection.servers"
    if not values.get(servers) and servers not in _failed(values, given):
        yield f"{where} needs the xDS servers that pods connect to: set {servers}"
    for name, other in (
        ("injection.certificate", "injection.key"),
        ("injection.key", "injection.certificate"),
    ):
        if values.get(name) and not values.get(other) and other not in _failed(values, given):
            yield f"{given[name].where} has no effect alone: set {other}"
    if not values.get("injection.certificate") and not values.get("kubernetes.enabled"):
        yield (
            f"{where} needs a certificate: add --kubernetes (kubernetes.enabled) to keep one in a Secret,"
            " or set injection.certificate and injection.key"
        )


def _failed(values: Mapping[str, Any], given: Mapping[str, Given]) -> set[str]:
    """Settings with an invalid value, which is reported already."""
    return set(given) - set(values)
