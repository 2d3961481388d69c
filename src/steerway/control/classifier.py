"""The audience of a client, from its Node, its identity and its address."""

from collections.abc import Callable, Set
from functools import partial

from steerway.access.admission import Applicant
from steerway.access.identity import Identity
from steerway.catalog.locality.client_locality import ClientLocalities, PodLocalities, PodLocality
from steerway.catalog.locality.client_zone import ClaimedZones, KnownZones
from steerway.catalog.locality.pod_index import PodIndex, address_of, canonical
from steerway.catalog.locality.traffic_distribution import UNKNOWN
from steerway.config import Settings
from steerway.control.local_cluster import LocalCluster
from steerway.control.source import default_namespace
from steerway.peer import network
from steerway.sources.objects.core import Object, ObjectKey, Pod
from steerway.translate.client.audience import GRPC, Audience, at_locality, encode
from steerway.translate.client.node import bucket_of, claimed_id, claimed_services, claimed_zone, classify

Get = Callable[[ObjectKey], Object | None]


def _no_object(_: ObjectKey) -> None:
    return None


class Classifier:
    """Classifies clients of a cluster. Follows its Nodes; `zones` also gets those of remote clusters."""

    def __init__(self, settings: Settings, cluster: LocalCluster, zones: KnownZones) -> None:
        """With `kubernetes.client_locality: off` Pods and Nodes are not used."""
        self._workloads = cluster.catalog.servers
        off = settings.kubernetes.client_locality == "off"
        self._index = PodIndex() if off else cluster.pods
        self._find_pod: Get = _no_object if off else cluster.store.get
        self._pods = PodLocalities(self._index)
        self._address_first = settings.kubernetes.client_locality == "pod_first"
        self._localities = ClientLocalities(settings.topology, self._address_first, ClaimedZones(zones))
        self._default_namespace = default_namespace(settings)
        self._buckets = settings.subset_buckets
        cluster.store.listen(partial(zones.update, "", cluster.store.get))

    def pod(self, peer: str) -> PodLocality | None:
        """The pod or node at an address (`10.0.0.7:4711`); None: unknown."""
        return self._pods.find(peer)

    def pod_at(self, address: str) -> PodLocality | None:
        """The same of an IP address."""
        return self._pods.find(f"[{address}]:0")

    def follow_pods(self, listener: Callable[[Set[str]], None]) -> None:
        """Call `listener` with the addresses whose pods changed."""
        self._index.listen(listener)

    def audience(self, client: Applicant, identity: Identity | None) -> str:
        """The audience of a stream. The namespace of a proven identity precedes that of the pod at the address, and
        that precedes the default."""
        locality = self._pods.find(client.peer)
        own = identity.namespace if identity is not None else ""
        namespace = locality.namespace if locality is not None else ""
        hint = namespace if self._address_first else ""
        audience = classify(client.node, own or namespace or self._default_namespace, hint)
        bucket = bucket_of(client.node, client.peer.rpartition(":")[0], self._buckets)
        zone, share = claimed_zone(client.node), network(client.peer)
        client_locality = self._localities.resolve(locality, zone, client.stream, share)
        workload = self._workload(client, audience) if audience.dialect == GRPC else ""
        return encode(at_locality(audience, client_locality, bucket, workload))

    def _workload(self, client: Applicant, audience: Audience) -> str:
        """The workload of a gRPC client: of the Pod at its address, of the one that starts under its name, or as it
        claims."""
        if (pod := self._pods.pod(client.peer) or self._named_pod(client, audience.namespace)) is not None:
            # Policies apply by namespace: a Pod gets those of another one only as a server that is not known there.
            return self._workloads.workload(pod) if pod.metadata.namespace == audience.namespace else UNKNOWN
        services = claimed_services(client.node)
        return self._workloads.claimed(services) if services else UNKNOWN

    def _named_pod(self, client: Applicant, namespace: str) -> Pod | None:
        """The Pod that a client names in the id of its node (`POD` or `POD.NAMESPACE`): while no address of it is
        known, since the kubelet reports that after it has started containers, and on the network of its node."""
        name = claimed_id(client.node).removesuffix(f".{namespace}")
        pod = self._find_pod(ObjectKey(Pod.__name__, namespace, name))
        if not isinstance(pod, Pod):
            return None
        addresses = {canonical(pod_ip.ip) for pod_ip in pod.status.pod_ips or ()}
        shared = pod.spec.host_network and address_of(client.peer) in addresses
        return pod if shared or not addresses else None

    def release(self, stream: int) -> None:
        """The stream ended: its claimed zone counts no more."""
        self._localities.release(stream)
