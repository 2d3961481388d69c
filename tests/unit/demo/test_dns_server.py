"""DNS answers for a headless Service."""

import asyncio

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from demo.dns_server import DnsServer, HeadlessZone
from testbed.process.deadline import PATIENCE_SECONDS

HOST = "backend.shop.svc.cluster.local"


@pytest.fixture
def zone() -> HeadlessZone:
    """A zone with two ready pods."""
    zone = HeadlessZone(HOST, 30)
    zone.publish(["127.20.1.1", "127.20.1.2"])
    return zone


def ask(zone: HeadlessZone, name: str, kind: str = "A") -> DNSRecord:
    """The parsed answer to one query."""
    reply = zone.answer(DNSRecord.question(name, kind).pack())
    assert reply is not None
    return DNSRecord.parse(reply)


def test_each_ready_pod_is_one_record_with_the_ttl(zone: HeadlessZone) -> None:
    """A headless Service has no address of its own."""
    answer = ask(zone, HOST)
    assert answer.header.rcode == RCODE.NOERROR
    assert sorted(str(record.rdata) for record in answer.rr) == ["127.20.1.1", "127.20.1.2"]
    assert {record.ttl for record in answer.rr} == {30}


def test_a_publication_replaces_the_records(zone: HeadlessZone) -> None:
    """The next query gets the new pods only."""
    zone.publish(["127.20.2.1"])
    assert [str(record.rdata) for record in ask(zone, HOST).rr] == ["127.20.2.1"]


def test_other_types_of_the_name_are_empty_not_absent(zone: HeadlessZone) -> None:
    """NXDOMAIN for AAAA would make resolvers drop the A records."""
    answer = ask(zone, HOST, "AAAA")
    assert (answer.header.rcode, answer.rr, answer.q.qtype) == (RCODE.NOERROR, [], QTYPE.AAAA)


def test_other_names_do_not_exist(zone: HeadlessZone) -> None:
    """The zone has one Service."""
    assert ask(zone, "frontend.shop.svc.cluster.local").header.rcode == RCODE.NXDOMAIN


def test_names_are_compared_without_case(zone: HeadlessZone) -> None:
    """RFC 4343: resolvers may mix cases."""
    assert len(ask(zone, HOST.upper()).rr) == 2


def test_only_queries_for_addresses_are_lookups(zone: HeadlessZone) -> None:
    """C-core queries AAAA beside A; the report counts the pair once."""
    ask(zone, HOST, "AAAA")
    ask(zone, "other.local")
    assert zone.lookups == []
    ask(zone, HOST)
    assert len(zone.lookups) == 1


@pytest.mark.parametrize(
    "datagram", [b"", b"\0", b"not dns at all", bytes(12), DNSRecord.question(HOST).reply().pack()]
)
def test_an_invalid_query_gets_no_answer(zone: HeadlessZone, datagram: bytes) -> None:
    assert zone.answer(datagram) is None


async def test_the_server_answers_over_udp_after_a_stray_datagram(zone: HeadlessZone) -> None:
    """The same answers, through a socket."""
    server = DnsServer(zone)
    port = await server.start()
    answers: asyncio.Queue[bytes] = asyncio.Queue()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _address: object) -> None:
            answers.put_nowait(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Client, remote_addr=("127.0.0.1", port)
    )
    try:
        transport.sendto(b"stray")
        transport.sendto(DNSRecord.question(HOST).pack())
        answer = DNSRecord.parse(await asyncio.wait_for(answers.get(), PATIENCE_SECONDS))
    finally:
        transport.close()
        server.close()
    assert len(answer.rr) == 2
