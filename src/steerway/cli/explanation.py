"""An explanation as indented text, at most a screen for a simple service."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from steerway.cli import terminal
from steerway.cli.output import count
from steerway.cli.terminal import Mark

_MOST_CLIENTS = 20
_MOST_ENDPOINTS = 10
"""Of one locality."""


def show(explanation: dict[str, Any], verbose: bool) -> None:
    """Print the document that `/api/v1/explain` answers with."""
    target = explanation["target"]
    name = f" ({target['port_name']})" if target["port_name"] else ""
    port = f"port {target['port']}{name} of " if target["port"] else ""
    pod = f", its pod {target['pod']}" if target["pod"] else ""
    terminal.item(Mark.PASS, f"{target['asked']} is {port}Service {target['service']}{pod}: {target['why']}")
    _facts(explanation["facts"], explanation["target"]["service"])
    _policy(explanation["policy"], verbose)
    if (access := explanation.get("access")) is not None:
        _access(access)
    _client(explanation["client"], _addresses(explanation["resources"]))
    _resources(explanation["resources"], explanation["clients"] is None, verbose)
    _clients(explanation["clients"])


def _facts(facts: dict[str, Any], service: str) -> None:
    _title("facts")
    if facts["external_name"]:
        _line(Mark.PASS, f"external name {facts['external_name']}, whose addresses clients ask DNS for")
    else:
        _endpoints(facts)
    if facts["private"]:
        _line(Mark.SKIP, f"private: only clients of {service.partition('/')[0]}, and those that rules name")
    if facts["exported_to"] is not None:
        _line(Mark.SKIP, f"only for clients in {', '.join(facts['exported_to'])}")
    if facts["local_only"]:
        _line(Mark.SKIP, "internalTrafficPolicy Local: endpoints of the client's own node only")
    if facts["traffic_distribution"]:
        _line(Mark.SKIP, f"trafficDistribution {facts['traffic_distribution']}")
    if facts["backend_tls"]:
        _backend_tls(facts["backend_tls"])
    else:
        _protocol(facts["protocol"])
    for name, value in facts["annotations"].items():
        _line(Mark.SKIP, f"annotation {name}: {value}")
    if not facts["rules"]:
        _line(Mark.SKIP, "no route: calls go to its own endpoints")
    for rule in facts["rules"]:
        _rule(rule)


def _backend_tls(tls: dict[str, Any]) -> None:
    if tls["fault"]:
        _line(Mark.FAIL, f"{tls['policy']} cannot be followed, so that nothing connects: {tls['fault']}")
    else:
        _line(Mark.SKIP, f"TLS for {tls['hostname']}, by {tls['policy']}")


def _protocol(protocol: dict[str, Any]) -> None:
    if protocol["note"]:
        _line(Mark.SKIP, protocol["note"])
    elif protocol["name"] == "HTTP/1.1":
        _line(Mark.SKIP, f"Envoy speaks {protocol['name']} to it: {protocol['stated_by']}")


def _endpoints(facts: dict[str, Any]) -> None:
    states = ("healthy", "draining", "unready")
    total = sum(row[state] for row in facts["endpoints"] for state in states)
    ready = any(row["healthy"] for row in facts["endpoints"])
    zones = (
        f"{row['zone'] or 'no zone'} " + ", ".join(f"{row[state]} {state}" for state in states if row[state])
        for row in facts["endpoints"]
    )
    where = f"{count(total, 'endpoint')} in {count(facts['slices'], 'EndpointSlice')}"
    missing = Mark.SKIP if facts["rules"] else Mark.FAIL  # routes may lead elsewhere
    _line(Mark.PASS if ready else missing, "; ".join((where, *zones)))
    for reason in facts["why_no_endpoint"]:
        _line(Mark.SKIP, reason, 4)


def _rule(rule: dict[str, Any]) -> None:
    backends = [
        f"{backend['port'] or 'no backend'} {backend['weight']}"
        + ("" if backend["served"] else " (not served: calls fail)")
        for backend in rule["backends"]
    ]
    to = ", ".join(backends) or "no backend"
    whose = "" if rule["kind"] == "producer" else f", for clients in {rule['namespace']}"
    mark = Mark.SKIP if not rule["in_use"] else Mark.PASS
    if rule["in_use"] and not any(backend["served"] and backend["weight"] for backend in rule["backends"]):
        mark = Mark.FAIL
    _line(mark, f"{rule['rule']}{whose}: {rule['match']} → {to}")
    for action in rule["actions"]:
        _line(Mark.SKIP, action, 4)
    for section in rule["policy"]:
        _section(section, 4)


def _policy(sections: Sequence[dict[str, Any]], verbose: bool) -> None:
    _title("policy")
    for section in sections:
        if section["source"] is not None or verbose:
            _section(section, 2)
    default = [section["section"] for section in sections if section["source"] is None]
    if default and not verbose:
        _plain(f"default: {', '.join(default)}")


def _section(section: dict[str, Any], indent: int) -> None:
    _plain(f"{section['section']}: {section['value']} — {section['source'] or 'default'}", indent)


def _access(access: dict[str, Any]) -> None:
    caller = access["from"] or "a client without a certificate"
    with_headers = "".join(f", {name}: {value}" for name, value in access["headers"].items())
    _title(f"call of {access['method']}{with_headers} by {caller}")
    tls = access["tls"]
    _line(Mark.SKIP, f"servers listen on port {access['port']} with TLS {tls['mode']} — {tls['source']}")
    result = "allowed" if access["allowed"] else "denied"
    _line(Mark.PASS if access["allowed"] else Mark.FAIL, f"{result}: {access['by']}")
    for audited in access["audited"]:
        _line(Mark.SKIP, f"audit: {audited}")
    for note in access["notes"]:
        _line(Mark.SKIP, note)


def _addresses(resources: Iterable[dict[str, Any]]) -> dict[tuple[str, int, str, str], list[str]]:
    """The addresses of endpoints by cluster, priority, region and zone, from the resources themselves."""
    addresses: dict[tuple[str, int, str, str], list[str]] = {}
    for resource in resources:
        for member in (resource["body"] or {}).get("endpoints", ()) if resource["type"] == "eds" else ():
            locality = member.get("locality", {})
            locality_names = locality.get("region", ""), locality.get("zone", "")
            addresses.setdefault((resource["name"], member.get("priority", 0), *locality_names), []).extend(
                _address(endpoint) for endpoint in member.get("lb_endpoints", ())
            )
    return addresses


def _address(endpoint: dict[str, Any]) -> str:
    socket = endpoint["endpoint"]["address"]["socket_address"]
    host, state = socket["address"], endpoint.get("health_status", "")
    shown = f"[{host}]:{socket['port_value']}" if ":" in host else f"{host}:{socket['port_value']}"
    return shown if state in ("", "HEALTHY") else f"{shown} ({state.lower()})"


def _client(client: dict[str, Any], addresses: Mapping[tuple[str, int, str, str], Sequence[str]]) -> None:
    locality = [f"in namespace {client['namespace']}"]
    locality += [f"{name} {client[name]}" for name in ("zone", "node") if client[name]]
    _title(f"{client['name']} {', '.join(locality)} (audience {client['audience']})")
    for limitation in client["limitations"]:
        _line(Mark.FAIL, limitation)
    if not client["limitations"]:
        _line(Mark.PASS, "all settings supported")
    subset = client["subset"]
    if subset and subset["followed"]:
        _line(
            Mark.PASS,
            f"it sees {subset['size']} of the endpoints, by its bucket of {subset['buckets']}",
        )
    elif subset:
        _line(Mark.FAIL, "subset is not followed: the setting subset_buckets is 0")
    for cluster in client["clusters"]:
        _plain(cluster["name"])
        for locality in cluster["localities"]:
            zone = locality["zone"] or "no zone"
            size = count(locality["endpoints"], "endpoint")
            _plain(f"priority {locality['priority']}: {zone} with weight {locality['weight']}, {size}", 4)
            locality_names = locality["region"] or "", locality["zone"] or ""
            _endpoint_lines(addresses.get((cluster["name"], locality["priority"], *locality_names), ()))
        if not cluster["localities"]:
            _line(Mark.FAIL, "no endpoint: calls fail at once", 4)


def _endpoint_lines(addresses: Sequence[str]) -> None:
    for address in addresses[:_MOST_ENDPOINTS]:
        _plain(address, 6)
    if len(addresses) > _MOST_ENDPOINTS:
        _plain(f"and {len(addresses) - _MOST_ENDPOINTS} more: -o json has them all", 6)


def _resources(resources: Iterable[dict[str, Any]], offline: bool, verbose: bool) -> None:
    _title("resources")
    for resource in resources:
        name = f"{resource['type']} {resource['name']}"
        if resource["absent"]:
            _line(Mark.FAIL, f"{name} is absent: {resource['absent']}")
            continue
        version = (
            f": version {resource['version']}"
            if resource["version"]
            else ", which no such client is subscribed to"
        )
        _line(Mark.PASS, name if offline else name + version)
        if verbose:
            for line in json.dumps(resource["body"], indent=2, ensure_ascii=False).splitlines():
                _plain(line, 4)


def _clients(clients: Sequence[dict[str, Any]] | None) -> None:
    _title("connected clients")
    if clients is None:
        _line(Mark.SKIP, "not known: these are manifests, not a control plane")
        return
    if not clients:
        _line(Mark.SKIP, "none is subscribed")
    behind = sorted(clients, key=lambda client: bool(client["in_sync"]))
    for client in behind[:_MOST_CLIENTS]:
        _connected(client)
    if len(clients) > _MOST_CLIENTS:
        _line(Mark.SKIP, f"and {len(clients) - _MOST_CLIENTS} more: --output json has them all")


def _connected(client: dict[str, Any]) -> None:
    client_name = f"{client['node'] or 'no node id'} ({client['client']}, {client['address']})"
    rows = client["resources"]
    acked = [row for row in rows if row["status"] == "acked" and row["current"]]
    ages = [row["sent_age_seconds"] for row in rows if row["sent_age_seconds"] is not None]
    age = f", the last of it {_age(min(ages))} ago" if ages else ""
    state = "has acknowledged all" if client["in_sync"] else f"has acknowledged {len(acked)} of {len(rows)}"
    mark = Mark.PASS if client["in_sync"] else Mark.FAIL
    _line(mark, f"{client_name} {state}{age}; connected for {_age(client['age_seconds'])}")
    for row in rows:
        metadata = f"{row['type']} {row['name']}"
        if row["status"] == "nacked":
            _line(
                Mark.FAIL,
                f"refused {metadata} version {row['version']}: {row['error'] or 'for another resource'}",
                4,
            )
        elif row not in acked and row["status"] != "does_not_exist":
            _line(
                Mark.FAIL,
                f"{metadata} is {row['status']}" + ("" if row["current"] else ", and not the newest"),
                4,
            )
    for name, reason in client["absent"].items():
        _line(Mark.FAIL, f"{name} is absent: {reason}", 4)
    for limitation in client["limitations"]:
        _line(Mark.SKIP, limitation, 4)


def _title(text: str) -> None:
    terminal.write(text)


def _line(mark: Mark, text: str, indent: int = 2) -> None:
    terminal.item(mark, text, indent=indent)


def _plain(text: str, indent: int = 2) -> None:
    terminal.write(" " * indent + text)


def _age(seconds: float) -> str:
    """In the largest unit that fits."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
