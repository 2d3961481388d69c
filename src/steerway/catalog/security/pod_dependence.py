"""Which services depend on the Pods at an address: those with TLS, whose identities are the accounts of their Pods."""

from collections import defaultdict

from steerway.catalog.locality.pod_index import canonical
from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import Service
from steerway.sources.objects.core import Object, Pod


class PodDependence:
    """An index of services by the addresses of their endpoints. Services without TLS are not in it."""

    def __init__(self) -> None:
        self._addresses: dict[ServiceId, frozenset[str]] = {}
        self._services: defaultdict[str, set[ServiceId]] = defaultdict(set)

    def note(self, id: ServiceId, service: Service | None) -> None:
        """A service was built; None: there is none."""
        ports = () if service is None else service.ports
        addresses = frozenset(
            endpoint.address for port in ports if port.mtls.mode for endpoint in port.endpoints
        )
        before = self._addresses.pop(id, frozenset())
        for address in before - addresses:
            self._services[address].discard(id)
            if not self._services[address]:
                del self._services[address]
        for address in addresses - before:
            self._services[address].add(id)
        if addresses:
            self._addresses[id] = addresses

    def services(self, pod: Object | None) -> set[ServiceId]:
        """Those that depend on a Pod."""
        if not isinstance(pod, Pod) or not self._services:
            return set()
        addresses = (canonical(pod_ip.ip) for pod_ip in pod.status.pod_ips or ())
        return {id for address in addresses for id in self._services.get(address, ())}
