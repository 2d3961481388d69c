"""How long certificates are valid, and those that cannot be used."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from steerway.kubecheck.certificate import lifetime
from steerway.kubecheck.section import certificate
from testbed.certificate import Authority, Certified
from tests.unit.kubecheck.api import ROOT, context

SETTINGS = {"tls": {"certificate": "/etc/steerway/tls/tls.crt", "key": "/etc/steerway/tls/tls.key"}}
NAME = "steerway.mesh"


@pytest.mark.parametrize(
    ("begin", "end", "level"),
    [
        (-1, 300, "ok"),
        (-300, 10, "warning"),
        (-1, 2, "ok"),
        (-3, 0.5, "warning"),
        (-3, -1, "error"),
        (1, 2, "error"),
    ],
)
def test_levels_by_the_rest_of_the_lifetime(begin: float, end: float, level: str) -> None:
    """In days: a fifth of it, at most 14."""
    issued = Authority().issue(NAME, begin=timedelta(days=begin), end=timedelta(days=end))
    assert lifetime("it", issued.certificate, datetime.now(UTC), "renew it").level.value == level


def secret(issued: Certified, key: bytes = b"") -> tuple[str, dict[str, dict[str, str]]]:
    data = {"tls.crt": issued.certificate, "tls.key": key or issued.key}
    return f"{ROOT}/secrets/certificate", {
        "data": {name: b64encode(text).decode() for name, text in data.items()}
    }


async def test_the_certificate_of_the_secret() -> None:
    """It has to have a name of the Service."""
    authority = Authority()
    made, _ = await context(secret(authority.issue(NAME)), settings=SETTINGS)
    (result,) = await certificate.xds(made)
    assert result.level.value == "ok"
    assert "Secret mesh/certificate, tls.crt" in result.text
    made, _ = await context(secret(authority.issue("other")), settings=SETTINGS)
    _, result = await certificate.xds(made)
    assert "none of the names of the Service: steerway.mesh, steerway.mesh.svc" in result.text


async def test_a_key_of_another_certificate_and_an_absent_secret() -> None:
    authority = Authority()
    other = authority.issue(NAME).key
    made, _ = await context(secret(authority.issue(NAME), other), settings=SETTINGS)
    (result,) = await certificate.xds(made)
    assert "do not belong together" in result.text
    made, _ = await context(settings=SETTINGS)
    (result,) = await certificate.xds(made)
    assert "does not exist" in result.text


async def test_files_that_are_in_no_secret_are_not_checked() -> None:
    made, _ = await context(settings={"tls": {"certificate": "/a.crt", "key": "/a.key"}})
    (result,) = await certificate.xds(made)
    assert result.level.value == "skipped"
