"""What is wrong between settings that are each right: those that exclude, need or mute each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from steerway.config.document import Given
from steerway.config.name import SETTINGS

_WITHOUT_CERTIFICATE = "without client certificates: add authentication.certificate"
_WITHOUT_TOKENS = "without service-account tokens: set authentication.service_account to token_review or jwks"
_WITHOUT_CLUSTERS = "without remote clusters: add clusters"
_WITHOUT_JWKS = "unless authentication.service_account is jwks"


def contradictions(values: Mapping[str, Any], given: Mapping[str, Given]) -> list[str]:
    """What is wrong between settings that are each right."""
    problems = []
    for quiet, longest in (("endpoint_quiet", "endpoint_max"), ("quiet", "max")):
        names = [f"debounce.{quiet}_seconds", f"debounce.{longest}_seconds"]
        low, high = (values.get(name, SETTINGS[name].default) for name in names)
        if low > high and all(name in values or name not in given for name in names):
            where = next(given[name].where for name in names if name in given)
            problems.append(
                f"{where} leaves {names[0]} ({low:g}) above {names[1]} ({high:g}): change one of them"
            )
    namespaces = values.get("kubernetes.namespaces", ())
    if "all" in namespaces and len(namespaces) > 1:
        problems.append(f"{given['kubernetes.namespaces'].where} must be namespaces, or all alone, not both")
    if values.get("namespace_selector") and values.get("kubernetes.enabled") and namespaces != ("all",):
        problems.append(
            f"{given['namespace_selector'].where} needs all namespaces to choose from: set kubernetes.namespaces to all"
        )
    names = [cluster.name for cluster in values.get("clusters", ())]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        problems.append(
            f"{given['clusters'].where} names {', '.join(twice)} twice: give each cluster a name of its own"
        )
    return [*problems, *_idle(values, given), *_tls(values, given), *_authentication(values, given)]


def _idle(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """Settings that nothing reads as the others are."""
    reviews = values.get("authentication.service_account", "off") != "off"
    asked = "kubernetes.enabled" in given or reviews or values.get("clusters")
    verifies = values.get("authentication.service_account", "off")
    rules = (
        *(
            (f"cluster_{name}", values.get("clusters"), _WITHOUT_CLUSTERS)
            for name in ("policy", "lost", "start")
        ),
        ("kubernetes.", asked, "without Kubernetes: add --kubernetes (kubernetes.enabled)"),
        ("authentication.trust_domains", values.get("authentication.certificate"), _WITHOUT_CERTIFICATE),
        ("authentication.audiences", verifies != "off", _WITHOUT_TOKENS),
        ("authentication.timeout_seconds", verifies != "off", _WITHOUT_TOKENS),
        ("authentication.review_cache_seconds", verifies != "off", _WITHOUT_TOKENS),
        ("authentication.jwks", verifies == "jwks", _WITHOUT_JWKS),
        ("authentication.issuer", verifies == "jwks", _WITHOUT_JWKS),
    )
    for prefix, used, why in rules:
        idle = [name for name in values if name.startswith(prefix) and name != "kubernetes.enabled"]
        if idle and not used:
            yield f"{given[idle[0]].where} has no effect {why}"


def _tls(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """Certificate, key and authorities that need each other."""
    needs = (
        ("tls.certificate", "tls.key", "needs its private key: give tls.key"),
        ("tls.key", "tls.certificate", "needs its certificate: give tls.certificate"),
        ("tls.client_ca", "tls.certificate", "has no effect without TLS: give tls.certificate and tls.key"),
        (
            "tls.require_client_certificate",
            "tls.client_ca",
            "needs the authorities to trust: give tls.client_ca",
        ),
        ("authentication.certificate", "tls.client_ca", "needs the authorities to trust: give tls.client_ca"),
    )
    for name, other, hint in needs:
        if values.get(name) and not values.get(other) and other not in _failed(values, given):
            yield f"{given[name].where} {hint}"


def _authentication(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """Authentication that cannot be, or that rules need."""
    if values.get("authentication.jwks") and not values.get("authentication.issuer"):
        yield f"{given['authentication.jwks'].where} does not say whose tokens these are: give authentication.issuer"
    methods = [f"authentication.{name}" for name in ("certificate", "token_file", "unix_socket")]
    on = values.get("authentication.service_account", "off") != "off" or any(map(values.get, methods))
    if values.get("authorization.rules") and not on:
        hint = f"turn on one of {', '.join(methods)}, authentication.service_account"
        yield f"{given['authorization.rules'].where} has no effect while nobody proves who he is: {hint}"


def _failed(values: Mapping[str, Any], given: Mapping[str, Given]) -> set[str]:
    """Settings that were given and are wrong in themselves, which is told already."""
    return set(given) - set(values)
