"""What Kubernetes will choose anew: endpoints of Services whose selector or target ports differ.

EndpointSlices follow from selectors and Pods, which are not predicted. These notes name the Services whose endpoints
are shown as they are now and will not stay so.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from steerway.sources.objects.core import ObjectKey

Spec = Mapping[str, Any]
"""`spec` of a Service as written; fields that catalog does not read are in it."""


def notes(live: Mapping[ObjectKey, Spec], manifests: Mapping[ObjectKey, Spec]) -> Iterator[str]:
    """One sentence for each difference. `live` lacks Services that are new."""
    for key, spec in sorted(manifests.items()):
        before = live.get(key)
        selector = _selector(spec)
        if before is None:
            if selector:
                yield f"{key} is new: its endpoints are known when Kubernetes has made its EndpointSlices"
        elif selector != _selector(before):
            change = f"{_selector(before) or 'none'} → {selector or 'none'}"
            yield f"{key}: the selector changes ({change}): its endpoints, shown as they are now, are chosen anew"
        elif (ports := _target_ports(spec)) != (old := _target_ports(before)):
            changed = (
                f"{old[port]} → {target}" for port, target in ports.items() if old.get(port, target) != target
            )
            words = ", ".join(changed)
            if words:
                yield f"{key}: targetPort changes ({words}): those of its endpoints are shown as they are now"


def _selector(spec: Spec) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted((spec.get("selector") or {}).items()))


def _target_ports(spec: Spec) -> dict[Any, str]:
    """By number of the port; the API server's default is the same number."""
    return {
        port.get("port"): str(port.get("targetPort") or port.get("port")) for port in spec.get("ports") or ()
    }
