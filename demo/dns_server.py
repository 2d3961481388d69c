"""The cluster's DNS for one headless Service, as CoreDNS answers it.

A headless Service has one A record per *ready* pod (Kubernetes DNS-based service discovery, 2.4.1). Any
other type of an existing name is answered empty, any other name NXDOMAIN. Records are in random order, as
CoreDNS's `loadbalance` plugin serves them. UDP only, no search domains, no SRV.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import cast

from dnslib import QTYPE, RCODE, RR, A, DNSRecord
from dnslib.dns import DNSError


class HeadlessZone:
    """The answers for one host name, and the times at which its addresses were asked for."""

    def __init__(self, host: str, ttl_seconds: int) -> None:
        self._host = host.rstrip(".").lower()
        self._ttl_seconds = ttl_seconds
        self._addresses: tuple[str, ...] = ()
        self.lookups: list[float] = []
        """Monotonic time of each A query for the host."""

    def publish(self, addresses: Sequence[str]) -> None:
        """Replace the A records; queries from now on see exactly these."""
        self._addresses = tuple(addresses)

    def answer(self, query: bytes) -> bytes | None:
        """The reply to one datagram; None for one that is no DNS query, which gets no answer."""
        try:
            request = DNSRecord.parse(query)
        except (DNSError, ValueError, IndexError):
            return None
        if request.header.qr or not request.questions:
            return None
        name = str(request.q.qname).rstrip(".").lower()
        reply = request.reply()
        if name != self._host:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            self.lookups.append(time.monotonic())
            for address in random.sample(self._addresses, len(self._addresses)):
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=self._ttl_seconds))
        return cast(bytes, reply.pack())


class DnsServer(asyncio.DatagramProtocol):
    """A `HeadlessZone` on a UDP socket."""

    def __init__(self, zone: HeadlessZone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self, host: str = "127.0.0.1") -> int:
        """Listen on a free port of `host` and return it."""
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(host, 0)
        )
        return cast(int, transport.get_extra_info("sockname")[1])

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the socket (called by asyncio)."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query (called by asyncio)."""
        reply = self._zone.answer(data)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)
