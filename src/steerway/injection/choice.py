"""What a pod chooses by its annotations: containers, method, credentials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, get_args

from steerway.injection.options import Credentials, InjectionOptions, Method
from steerway.injection.pod import Container, Pod

CONTAINERS = "steerway.io/inject-containers"
METHOD = "steerway.io/inject-method"
CREDENTIALS = "steerway.io/inject-credentials"
CERTIFICATES = "steerway.io/inject-certificates"

_Switch: TypeAlias = Literal["enabled", "disabled"]
_V = TypeVar("_V", bound=str)


class NotInjectedError(Exception):
    """Nothing is added to the pod: the text is the reason, for the user of the pod."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`certificates`: whether it gets a certificate. `unknown`: names of containers that the pod does not have."""

    method: Method
    credentials: Credentials
    certificates: bool
    containers: tuple[Container, ...]
    unknown: tuple[str, ...]


def choose(pod: Pod, options: InjectionOptions) -> Choice:
    """Raises NotInjectedError for a choice that is invalid or not available."""
    method = _one_of(pod.annotations, METHOD, get_args(Method), options.method)
    credentials = _one_of(pod.annotations, CREDENTIALS, get_args(Credentials), options.credentials)
    default: _Switch = "enabled" if options.certificates else "disabled"
    certificates = _one_of(pod.annotations, CERTIFICATES, get_args(_Switch), default) == "enabled"
    if not options.servers.get(credentials):
        raise NotInjectedError(f"steerway has no servers for {CREDENTIALS}: {credentials}")
    has_volume = method == "volume" or bool(options.file_sources(credentials))
    if has_volume and pod.is_windows:
        raise NotInjectedError(f"Windows pods get no volume: use {METHOD}: environment, and no tls")
    if certificates and pod.is_windows:
        raise NotInjectedError(f"Windows pods get no volume: use {CERTIFICATES}: disabled")
    if not pod.spec.get("serviceAccountName"):
        if options.sends_token(credentials):
            raise NotInjectedError("the pod has no service account, whose token it would send")
        if certificates:
            raise NotInjectedError("the pod has no service account, which its certificate would name")
    containers, unknown = _containers(pod)
    if not any(pod.containers()):
        raise NotInjectedError("the pod has no containers")
    if not containers:
        raise NotInjectedError(f"{CONTAINERS} names no container of the pod")
    return Choice(method, credentials, certificates, containers, unknown)


def _one_of(annotations: Mapping[str, str], key: str, values: tuple[_V, ...], default: _V) -> _V:
    given = annotations.get(key, default)
    for value in values:
        if value == given:
            return value
    raise NotInjectedError(f"annotation {key} is {given[:40]!r}: use {' or '.join(values)}")


def _containers(pod: Pod) -> tuple[tuple[Container, ...], tuple[str, ...]]:
    """Those to inject, and names without a container."""
    containers = tuple(pod.containers())
    names = [name.strip() for name in pod.annotations.get(CONTAINERS, "").split(",") if name.strip()]
    if not names:
        return containers, ()
    present = {container.name for container in containers}
    unknown = tuple(dict.fromkeys(name for name in names if name not in present))
    return tuple(container for container in containers if container.name in names), unknown
