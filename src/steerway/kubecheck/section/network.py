"""The way to the pods: Services with endpoints, and NetworkPolicies that leave a port out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import Manifest
from steerway.kubecheck.result import Result, error, ok, skipped

_XDS = ("xds", "xds-tls")


async def service(context: Context) -> Sequence[Result]:
    """Some Service selects the pods, with each xDS port."""
    installed = context.installed
    services = await context.reader.list(f"/api/v1/namespaces/{installed.namespace}/services")
    own = [item for item in services if _selects(item["spec"].get("selector"), installed.pod_labels)]
    if not own:
        reason = f"no Service of namespace {installed.namespace} selects the pods of steerway"
        return [error(f"{reason}: clients cannot connect", "upgrade the release, or correct its selector")]
    results = []
    for name in (name for name in _XDS if name in installed.ports):
        if not any(_targets(item, name, installed.ports[name]) for item in own):
            listed = ", ".join(item["metadata"]["name"] for item in own)
            reason = f"port {name} ({installed.ports[name]}) is a target of none of the Services: {listed}"
            results.append(error(reason, f"add a port with targetPort: {name}; upgrade the release"))
    names = ", ".join(f"{installed.namespace}/{item['metadata']['name']}" for item in own)
    return results or [ok(f"Services select the pods: {names}")]


def _selects(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())


def _targets(item: Manifest, name: str, number: int) -> bool:
    ports = item["spec"].get("ports") or []
    return any(port.get("targetPort", port["port"]) in (name, number) for port in ports)


async def policies(context: Context) -> Sequence[Result]:
    """Peers of rules are not compared: a rule that opens a port to some peers is enough."""
    installed = context.installed
    path = f"/apis/networking.k8s.io/v1/namespaces/{installed.namespace}/networkpolicies"
    selecting = [
        item
        for item in await context.reader.list(path)
        if matches(item["spec"].get("podSelector") or {}, installed.pod_labels)
    ]
    if not selecting:
        return [skipped("no NetworkPolicy selects the pods of steerway")]
    names = ", ".join(item["metadata"]["name"] for item in selecting)
    results = [*_ingress(selecting, installed.ports, names), *_egress(selecting, names)]
    return results or [ok(f"NetworkPolicies leave the ports of steerway open: {names}")]


def _ingress(selecting: Sequence[Manifest], ports: Mapping[str, int], names: str) -> Iterator[Result]:
    policies = [item["spec"] for item in selecting if "Ingress" in _types(item["spec"])]
    if not policies:
        return
    rules = [rule for spec in policies for rule in spec.get("ingress") or []]
    for name, number in ports.items():
        if not any(_opens(rule, name, number) for rule in rules):
            rule = yaml.safe_dump([{"ports": [{"port": number}]}], default_flow_style=None).strip()
            reason = f"NetworkPolicies that select the pods do not open port {name} ({number}): {names}"
            yield error(reason, f"add a rule to ingress of one of them, with `from` for its peers:\n{rule}")


def _egress(selecting: Sequence[Manifest], names: str) -> Iterator[Result]:
    policies = [item["spec"] for item in selecting if "Egress" in _types(item["spec"])]
    if policies and not any(spec.get("egress") for spec in policies):
        reason = (
            f"NetworkPolicies that select the pods allow no egress, not to the API server either: {names}"
        )
        yield error(reason, "add a rule to egress that allows the API server's addresses and port")


def _types(spec: Manifest) -> Sequence[str]:
    """The API server sets the default of policyTypes, which needs no repetition here."""
    return spec.get("policyTypes") or ["Ingress"]


def _opens(rule: Manifest, name: str, number: int) -> bool:
    ports = rule.get("ports")
    return not ports or any(_is_port(port, name, number) for port in ports)


def _is_port(port: Manifest, name: str, number: int) -> bool:
    if port.get("protocol", "TCP") != "TCP":
        return False
    value = port.get("port")
    if isinstance(value, int) and (end := port.get("endPort")):
        return value <= number <= int(end)
    return value in (None, name, number)


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects an object with these labels; an empty one selects all."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_requirement(item, labels) for item in selector.get("matchExpressions") or [])


def _requirement(item: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(item["key"])
    match item["operator"]:
        case "In":
            return value in (item.get("values") or ())
        case "NotIn":
            return value not in (item.get("values") or ())
        case "Exists":
            return value is not None
        case _:
            return value is None
