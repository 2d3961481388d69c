"""Authentication by the address of a connection: the pod that has the address proves namespace and service account.

For clients that can present neither a certificate nor a token, such as grpc-js. It trusts the network of the cluster:
docs/security.md states what that is worth.

A pod is known a moment after its processes start (the kubelet writes its address, then the watch delivers it), and the
end of a pod a moment after its address is free. So a client waits, up to a limit, for the Pod of an address that no pod
has; and for a moment where the only pod with the address is being deleted, for the Pod that may have it by now.

Source: Kubernetes API reference, Pod v1 (phase, podIPs, hostNetwork) and ObjectMeta (deletionTimestamp).
"""

import asyncio
import datetime
import functools
import time
from collections.abc import Awaitable, Callable, Collection, Sequence, Set
from typing import NamedTuple

from steerway.access.identity import Identity, of_pod
from steerway.access.result import (
    UNAUTHENTICATED,
    UNAVAILABLE,
    AuthenticationResult,
    Authenticator,
    Credential,
    Refusal,
)
from steerway.catalog.locality.pod_index import PodIndex, address_of
from steerway.peer import Transport
from steerway.sources.objects.core import Pod

SETTLE_SECONDS = 3.0
"""How long a pod that is being deleted must keep its address unchallenged: longer than the kubelet, which inspects its
containers every second, and the watch take to publish the next pod."""
MAX_OUTAGE_SECONDS = 3600.0
"""How long the last known Pods are used while the API server does not answer: as long as a projected token is valid by
default."""
# An init container or a sidecar may be a client before the pod is Running (Pod v1: "Pending").
_LIVE_PHASES = ("Pending", "Running")
_FIX = "connect from a pod without hostNetwork, proxy or NAT in between, or present another credential"


class _Finding(NamedTuple):
    """A result, and for how many seconds nothing about the address may change before it counts."""

    result: AuthenticationResult
    wait_seconds: float = 0.0


class PodAddress:
    """Authenticates by address those clients that present no other credential."""

    method = "pod_address"
    accepts = "the address of a pod"

    def __init__(
        self,
        pods: PodIndex,
        outage_seconds: Callable[[str], float | None],
        transports: Collection[Transport],
        others: Sequence[Authenticator],
        timeout_seconds: float,
        scope: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`outage_seconds`: of the Pods of a namespace ("": of any), see `KubernetesSource.outage_seconds`. `others`:
        authenticators whose credentials take precedence, even if they are refused. `timeout_seconds`: the longest wait
        for a Pod. `scope`: the namespaces of the Pods, as the end of a sentence; "": all."""
        self._pods = pods
        self._outage_seconds = outage_seconds
        self._transports = frozenset(transports)
        self._others = others
        self._timeout_seconds = timeout_seconds
        self._scope = scope
        self._clock = clock
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        pods.listen(self._wake)

    def reads(self, credential: Credential) -> bool:
        return credential.transport in self._transports and not any(
            other.reads(credential) for other in self._others
        )

    def authenticate(self, credential: Credential) -> AuthenticationResult | Awaitable[AuthenticationResult]:
        address = address_of(credential.peer)
        finding = self._find(address)
        return self._settle(address, finding) if finding.wait_seconds else finding.result

    async def _settle(self, address: str, finding: _Finding) -> AuthenticationResult:
        """The result, once nothing about the address has changed for as long as the finding asks, or at the timeout."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_seconds
        while finding.wait_seconds:
            changed = await self._change(address, min(finding.wait_seconds, deadline - loop.time()))
            finding = self._find(address)
            if not changed:
                break
        return finding.result

    async def _change(self, address: str, seconds: float) -> bool:
        """Wait until the Pods or the Node of the address change; False when the time is up."""
        waiting = self._waiting.setdefault(address, set())
        changed = asyncio.get_running_loop().create_future()
        waiting.add(changed)
        try:
            async with asyncio.timeout(seconds):
                await changed
        except TimeoutError:
            return False
        finally:
            waiting.discard(changed)
            if not waiting and self._waiting.get(address) is waiting:
                del self._waiting[address]
        return True

    def _wake(self, addresses: Set[str]) -> None:
        for address in addresses & self._waiting.keys():
            for changed in self._waiting.pop(address):
                if not changed.done():
                    changed.set_result(None)

    def _find(self, address: str) -> _Finding:
        pods = self._pods.pods(address)
        own = [pod for pod in pods if not pod.spec.host_network and pod.status.phase in _LIVE_PHASES]
        if node := self._host(address, pods):
            if own:  # the address has moved, and one of them is out of date
                return self._nothing(address, f"{node} and {_names(own)} have it")
            return _Finding(_refused(address, f"it is that of {node}, which all pods with hostNetwork share"))
        staying = [pod for pod in own if pod.metadata.deletion_timestamp is None]
        if len(staying) == 1:  # an address is given again only after a pod that is being deleted has lost it
            return self._pod(address, staying[0])
        if len(staying) > 1:
            return self._nothing(address, f"{_names(staying)} have it")
        leaving = [pod for pod in own if not self._is_overdue(pod)]
        if len(leaving) == 1:
            return self._pod(address, leaving[0], SETTLE_SECONDS)
        if leaving:
            return self._nothing(address, f"{_names(leaving)} have it")
        gone = f" ({_names(own)} should have ended by now)" if own else ""
        return self._nothing(address, f"no running pod{self._scope} has it{gone}")

    def _pod(self, address: str, pod: Pod, wait_seconds: float = 0.0) -> _Finding:
        """The pod has the address, as far as the API server answers about its namespace."""
        outage = self._outage_seconds(pod.metadata.namespace)
        if outage is not None and outage > MAX_OUTAGE_SECONDS:
            return _Finding(_unknown(address, outage))
        return _Finding(_identify(address, pod), wait_seconds)

    def _nothing(self, address: str, reason: str) -> _Finding:
        """No one pod has the address; that may change soon."""
        outage = self._outage_seconds("")
        if outage is None:
            return _Finding(_refused(address, reason), self._timeout_seconds)
        return _Finding(
            _unknown(address, outage), self._timeout_seconds if outage <= MAX_OUTAGE_SECONDS else 0.0
        )

    def _host(self, address: str, pods: Sequence[Pod]) -> str:
        """The node with the address, in words; "" for none. Nodes may not be followed; pods on their network are."""
        name = self._pods.node_at(address) or next(
            (pod.spec.node_name for pod in pods if pod.spec.host_network), ""
        )
        return f"node {name}" if name else ""

    def _is_overdue(self, pod: Pod) -> bool:
        """Whether the pod should have ended: its deletion timestamp is the end of its grace period."""
        deletion = pod.metadata.deletion_timestamp
        return deletion is not None and datetime.datetime.fromisoformat(deletion).timestamp() < self._clock()


def _identify(address: str, pod: Pod) -> AuthenticationResult:
    if not pod.spec.service_account_name:  # a mirror pod: the API server allows it none
        return _refused(address, f"{_names([pod])} has no service account")
    return _identity(pod.metadata.namespace, pod.spec.service_account_name)


@functools.lru_cache(maxsize=4096)
def _identity(namespace: str, account: str) -> Identity:
    """One object for all pods of a service account."""
    return of_pod(namespace, account)


def _refused(address: str, reason: str) -> Refusal:
    """The client learns its own address, and no names of pods."""
    client_message = f"the address {address} does not identify one pod: {_FIX}"
    return Refusal(
        UNAUTHENTICATED, client_message, f"the address {address} does not identify one pod: {reason}"
    )


def _unknown(address: str, outage: float) -> Refusal:
    since = f"for {outage:.0f} s" if outage < float("inf") else "since the start"
    client_message = f"the pod with the address {address} is not known at the moment; try again"
    reason = f"the pod with the address {address} is not known: the API server has not listed Pods {since}"
    return Refusal(UNAVAILABLE, client_message, reason)


def _names(pods: Sequence[Pod]) -> str:
    return " and ".join(sorted(f"pod {pod.metadata.namespace}/{pod.metadata.name}" for pod in pods))
