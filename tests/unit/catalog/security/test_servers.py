"""Which policies a server gets, by its workload and the port that it listens on, and what its clients expect."""

from typing import Any

import msgspec
import pytest

from steerway.catalog.catalog import Catalog
from steerway.catalog.locality.pod_index import PodIndex
from steerway.catalog.model.mesh import ServiceId
from steerway.catalog.model.security import MatchType, TextMatch, TlsMode
from steerway.catalog.security.precedence import ServerDefaults
from steerway.catalog.security.workload import Workloads
from steerway.sources.objects.core import (
    EndpointSlice,
    Object,
    ObjectKey,
    Pod,
    PodIP,
    PodMeta,
    PodSpec,
    PodStatus,
    Service,
)
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.server_policy import ServerPolicy
from testbed.manifest import Endpoint, slices
from testbed.manifest import service as service_manifest

NAMESPACE = "shop"
BACKEND = ServiceId(NAMESPACE, "backend")
PORTS = {"grpc": 50051, "tls": 50052}
DEFAULTS = ServerDefaults("cluster.local")


class Facts(dict[ObjectKey, Object]):
    """Objects by key, and the catalog and the Pods that are made of them."""

    def __init__(self, *objects: Object, defaults: ServerDefaults = DEFAULTS) -> None:
        super().__init__()
        self.pods = PodIndex()
        self.catalog = Catalog(server_defaults=defaults, pods=self.pods)
        self.put(*objects)

    def put(self, *objects: Object) -> frozenset[ServiceId]:
        for obj in objects:
            self[obj.key] = obj
        keys = [obj.key for obj in objects]
        self.pods.update(self.get, keys)
        return self.catalog.update(self.get, keys)

    def configuration(self, workload: str, port: int = 50051) -> Any:
        return self.catalog.server_configuration(self.get, NAMESPACE, workload, port)

    def mtls(self, port: int = 50051) -> Any:
        service = self.catalog.service(BACKEND)
        assert service is not None
        member = service.port(port)
        assert member is not None
        return member.mtls

    def workload(self, pod: Pod) -> str:
        return self.catalog.servers.workload(pod)


def pod(name: str = "backend-1", account: str = "backend", address: str = "10.0.0.1", **labels: str) -> Pod:
    return Pod(
        PodMeta(name, NAMESPACE, labels=labels or {"app": "backend"}),
        PodSpec("n1", account),
        PodStatus("Running", [PodIP(address)]),
    )


def backend(selector: dict[str, str] | None = None, target: int | str | None = None) -> Service:
    manifest = service_manifest("backend", PORTS, selector=selector or {"app": "backend"})
    manifest["spec"]["ports"][0]["targetPort"] = target
    service: Service = msgspec.convert(manifest, Service)
    return service


def endpoints(*addresses: str) -> list[EndpointSlice]:
    items = slices("backend", [Endpoint(f"{address}:50051") for address in addresses], "grpc")
    return [msgspec.convert(item, EndpointSlice) for item in items]


def server_policy(name: str = "policy", created: str = "", **spec: Any) -> ServerPolicy:
    metadata = {"name": name, "namespace": NAMESPACE, "creationTimestamp": created}
    return msgspec.convert({"metadata": metadata, "spec": spec}, ServerPolicy)


def authorization_policy(name: str = "allow", **spec: Any) -> AuthorizationPolicy:
    metadata = {"name": name, "namespace": NAMESPACE}
    return msgspec.convert({"metadata": metadata, "spec": spec}, AuthorizationPolicy)


def ref(section: str = "", name: str = "backend") -> dict[str, str]:
    return {"group": "", "kind": "Service", "name": name} | ({"sectionName": section} if section else {})


STRICT, PERMISSIVE, OFF = ({"mode": mode} for mode in ("Strict", "Permissive", "Off"))


def test_settings_apply_without_a_policy() -> None:
    facts = Facts(backend(), defaults=ServerDefaults("td", TlsMode.PERMISSIVE, deny=True))
    configuration = facts.configuration(facts.workload(pod()))
    assert (configuration.tls, configuration.services) == (TlsMode.PERMISSIVE, (BACKEND,))
    assert configuration.authorization.allow == ()
    assert dict(configuration.origins)["tls"] == "settings"


def test_the_most_specific_policy_counts_for_each_part() -> None:
    """A port before its Service, that before the namespace; parts are independent."""
    facts = Facts(
        backend(),
        server_policy("namespace", tls=STRICT, authorization={"default": "Deny"}),
        server_policy("service", targetRefs=[ref()], tls=PERMISSIVE),
        server_policy("port", targetRefs=[ref("grpc")], tls=OFF),
    )
    workload = facts.workload(pod())
    modes = [facts.configuration(workload, port).tls for port in (50051, 50052, 9090)]
    assert modes == [TlsMode.OFF, TlsMode.PERMISSIVE, TlsMode.STRICT]
    assert facts.configuration(workload).authorization.allow == ()


def test_of_two_policies_for_one_target_the_older_counts() -> None:
    older = server_policy("z", "2026-01-01T00:00:00Z", tls=STRICT)
    facts = Facts(backend(), server_policy("a", "2026-02-01T00:00:00Z", tls=OFF), older)
    configuration = facts.configuration(facts.workload(pod()))
    assert (configuration.tls, dict(configuration.origins)["tls"]) == (TlsMode.STRICT, str(older.key))


def test_a_server_of_two_services_gets_the_strictest_mode_and_all_rules() -> None:
    other = msgspec.convert(service_manifest("other", {"grpc": 50051}, selector={"app": "backend"}), Service)
    rules = [{"from": [{"namespaces": ["web"]}]}]
    facts = Facts(
        backend(),
        other,
        server_policy("a", targetRefs=[ref()], tls=PERMISSIVE),
        server_policy("b", targetRefs=[ref(name="other")], tls=STRICT),
        authorization_policy("x", targetRefs=[ref()], rules=rules),
        authorization_policy("y", targetRefs=[ref(name="other")], rules=rules),
    )
    configuration = facts.configuration(facts.workload(pod()))
    assert configuration.tls is TlsMode.STRICT
    assert configuration.services == (BACKEND, ServiceId(NAMESPACE, "other"))
    assert [rule.name for rule in configuration.authorization.allow] == [
        "AuthorizationPolicy shop/x rule 0",
        "AuthorizationPolicy shop/y rule 0",
    ]


def test_a_policy_of_a_service_is_not_about_other_pods_and_ports() -> None:
    facts = Facts(backend(), server_policy(targetRefs=[ref()], tls=STRICT))
    assert facts.configuration(facts.workload(pod(app="web"))).tls is TlsMode.OFF
    assert facts.configuration(facts.workload(pod()), 9090).tls is TlsMode.OFF


def test_a_named_target_port_applies_to_all_ports_until_its_number_is_known() -> None:
    """A server must not serve without the policy while it starts."""
    facts = Facts(backend(target="main"), server_policy(targetRefs=[ref("grpc")], tls=STRICT))
    workload = facts.workload(pod())
    assert facts.configuration(workload, 9090).tls is TlsMode.STRICT
    facts.put(*endpoints("10.0.0.1"))
    assert facts.catalog.changed_servers == {NAMESPACE}
    assert facts.configuration(workload, 9090).tls is TlsMode.OFF
    assert facts.configuration(workload, 50051).tls is TlsMode.STRICT


def test_a_server_that_is_not_identified_gets_nothing_where_policies_name_services() -> None:
    facts = Facts(backend(), server_policy("all", tls=STRICT))
    assert (facts.configuration("").tls, facts.configuration("").fault) == (TlsMode.STRICT, "")
    facts.put(authorization_policy(targetRefs=[ref()]))
    assert "steerway.io/service" in facts.configuration("").fault
    claimed = facts.configuration(facts.catalog.servers.claimed(["backend"]))
    assert (claimed.fault, claimed.services, claimed.authorization.allow) == ("", (BACKEND,), ())


def test_what_changes_servers_is_reported_by_namespace() -> None:
    facts = Facts(backend())
    for changed in (server_policy(tls=STRICT), authorization_policy(), backend({"app": "other"})):
        facts.put(changed)
        assert facts.catalog.changed_servers == {NAMESPACE}, changed
    facts.put(*endpoints("10.0.0.1"))
    assert facts.catalog.changed_servers == frozenset()


def test_clients_expect_the_accounts_of_the_pods() -> None:
    """Those that the selector takes; a Pod that comes later changes its own Services only."""
    other = pod("other-1", "other", "10.0.0.1", app="other")
    facts = Facts(backend(), *endpoints("10.0.0.1", "10.0.0.2"), pod(), other, server_policy(tls=STRICT))
    identity = "spiffe://cluster.local/ns/shop/sa/"
    assert facts.mtls().identities == (TextMatch(MatchType.EXACT, f"{identity}backend"),)
    assert facts.put(pod("backend-3", "backend", "10.0.0.3")) == frozenset()
    assert facts.put(pod("backend-2", "second", "10.0.0.2")) == {BACKEND}
    assert [text for _, text in facts.mtls().identities] == [f"{identity}backend", f"{identity}second"]


def test_clients_expect_the_namespace_while_no_pod_is_known() -> None:
    facts = Facts(backend(), *endpoints("10.0.0.1"), server_policy(tls=STRICT))
    prefix = TextMatch(MatchType.PREFIX, "spiffe://cluster.local/ns/shop/sa/")
    assert facts.mtls().identities == (prefix,)
    facts.put(server_policy(tls=STRICT | {"serviceAccounts": ["b", "a"]}))
    assert [text for _, text in facts.mtls().identities] == [f"{prefix.text}a", f"{prefix.text}b"]


def test_a_port_replaces_another_for_clients() -> None:
    policy = server_policy(targetRefs=[ref("tls")], tls=STRICT | {"replaces": ["grpc"]})
    facts = Facts(backend(), *endpoints("10.0.0.1"), policy)
    assert (facts.mtls(50051).mode, facts.mtls(50051).replaced_by) == (TlsMode.OFF, 50052)
    assert (facts.mtls(50052).mode, facts.mtls(50052).replaced_by) == (TlsMode.STRICT, 0)


def test_pods_cost_nothing_without_tls() -> None:
    facts = Facts(backend(), *endpoints("10.0.0.1"), pod())
    assert list(facts.catalog.owners(facts.get, pod().key)) == []
    assert facts.mtls().mode is TlsMode.OFF


@pytest.mark.parametrize("label", ["pod-template-hash", "statefulset.kubernetes.io/pod-name"])
def test_pods_of_a_template_are_one_workload(label: str) -> None:
    workloads = Workloads()
    names = {workloads.of_pod(pod("same", **{"app": "a", label: value})) for value in ("1", "2")}
    assert len(names) == 1
    assert workloads.of_pod(pod("same", app="b")) not in names
    assert workloads.of_pod(pod("same", "other", app="a")) not in names
