"""Whatever the facts, a client that dials any name gets resources that every client accepts, or a reason for none."""

from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.objects.core import Object
from steerway.translate.xds import type_url
from testbed.mesh import AbsentError, Mesh
from tests.support.model import client_rules, random_mesh, random_traffic
from tests.support.model.random_mesh import DOMAIN, NAMES, NAMESPACES, demands, targets

ATTACHED = st.lists(random_traffic.attached(), max_size=4)


@given(
    random_mesh.objects(), ATTACHED, st.lists(targets(), min_size=1, max_size=4), random_mesh.GRPC_AUDIENCES
)
def test_a_listener_leads_to_endpoints_that_every_client_accepts(
    objects: list[Object], attached: list[Object], dialled: list[str], audience: str
) -> None:
    """The whole way from any name is there: a Listener whose route, cluster or assignment is absent stalls a client."""
    mesh = Mesh(*objects, *attached)
    for target in dialled:
        try:
            mesh.get(type_url.LISTENER, target, audience)
        except AbsentError as reason:
            assert str(reason)
            continue
        mesh.walk(target, audience)  # checks each resource, and raises when one of them is absent


@given(random_traffic.routed_meshes(), random_mesh.GRPC_AUDIENCES)
def test_routes_and_policies_lead_to_endpoints_that_every_client_accepts(
    objects: list[Object], audience: str
) -> None:
    """The same where there is much to follow."""
    mesh = Mesh(*objects)
    for target in ("a.shop:80", "a.shop:50051", "svc.shop:80"):
        assert mesh.walk(target, audience)


@given(random_mesh.objects(), ATTACHED, st.lists(demands(random_mesh.GRPC_AUDIENCES), max_size=10))
def test_every_resource_is_one_that_every_client_accepts(
    objects: list[Object], attached: list[Object], wanted: list[tuple[str, str, str]]
) -> None:
    """Also those that no Listener leads to; what they name can be had by the same clients."""
    mesh = Mesh(*objects, *attached)
    mesh.demand(*wanted)
    for (served, name, audience), content in list(mesh.published.entries.items()):
        if isinstance(content, str):
            continue
        assert client_rules.refusals(served, name, content[0]) == []
        for reference in content[1]:
            assert mesh.get(*reference, _some_client(audience))


def _some_client(audience: str) -> str:
    """A client within an audience."""
    parts = audience.split("/")
    return "/".join([*parts, *["grpc", "unknown", "shop", "z1", "n1", "0"][len(parts) :]])


@given(random_mesh.objects())
def test_all_spellings_of_a_name_mean_the_same(objects: list[Object]) -> None:
    """From the namespace of the service, of every service and port."""
    mesh = Mesh(*objects)
    for name in NAMES:
        for namespace in NAMESPACES:
            hosts = [f"{name}.{namespace}", f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.{DOMAIN}"]
            for port in ("", ":80", ":grpc"):
                audience = f"grpc/unknown/{namespace}"
                answers = []
                for host in (name, *hosts):
                    try:
                        answers.append(mesh.assignment(f"{host}{port}", audience))
                    except AbsentError as reason:
                        answers.append(str(reason))
                assert all(answer == answers[0] for answer in answers)
