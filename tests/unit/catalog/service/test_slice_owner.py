"""Slices of Services, of other controllers, and those that nothing claims."""

import msgspec
import pytest

from steerway.catalog.model.mesh import ServiceId
from steerway.catalog.service import slice_owner
from steerway.sources.objects.core import ObjectMeta
from testbed.mesh import NAMESPACE, Mesh, endpoint_slice, service

OWN = {"kubernetes.io/service-name": "backend"}
IMPORTED = {"multicluster.kubernetes.io/service-name": "backend"}
MANAGED = {"endpointslice.kubernetes.io/managed-by": "agent.example.com"}


@pytest.mark.parametrize(
    ("labels", "owned", "foreign", "stray"),
    [
        (OWN, True, "", False),
        (OWN | IMPORTED | MANAGED, True, "", False),
        (IMPORTED, False, "multicluster.kubernetes.io/service-name: backend", False),
        (
            IMPORTED | {"kubernetes.io/service-name": ""},
            False,
            "multicluster.kubernetes.io/service-name: backend",
            False,
        ),
        (MANAGED, False, "endpointslice.kubernetes.io/managed-by: agent.example.com", False),
        ({"app": "backend"}, False, "", True),
        (None, False, "", True),
    ],
)
def test_a_slice_is_read_for_the_service_that_its_label_names(
    labels: dict[str, str] | None, owned: bool, foreign: str, stray: bool
) -> None:
    """One of another controller is none, and no problem: the missing label would join it to a Service."""
    result = msgspec.structs.replace(
        endpoint_slice("10.0.0.1"), metadata=ObjectMeta("x", NAMESPACE, labels=labels)
    )
    assert slice_owner.owner(result) == (ServiceId(NAMESPACE, "backend") if owned else None)
    assert slice_owner.foreign(result) == foreign
    mesh = Mesh(service(50051), result)
    assert mesh.dial("backend") == (["10.0.0.1:50051"] if owned else [])
    problems = mesh.catalog.problems()
    assert [problem.where for problem in problems] == (["EndpointSlice shop/x"] if stray else [])
    assert all("kubernetes.io/service-name" in problem.hint for problem in problems)
    mesh.update(delete=[result.key])
    assert mesh.catalog.problems() == []
