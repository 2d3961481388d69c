"""Identities from certificates, SPIFFE IDs and Kubernetes user names."""

import pytest

from steerway.access.identity import (
    Identity,
    of_certificate,
    of_service_account,
    parse_spiffe_id,
    parse_username,
)

WEB = "spiffe://cluster.local/ns/shop/sa/web"


@pytest.mark.parametrize(
    ("uri", "domain", "workload"),
    [
        (WEB, "cluster.local", ("shop", "web")),
        ("SPIFFE://cluster.local/ns/shop/sa/web.v2", "cluster.local", ("shop", "web.v2")),
        ("spiffe://prod", "prod", ("", "")),
        ("spiffe://prod/region/eu/ns/shop/sa/web", "prod", ("", "")),
        ("spiffe://prod/ns/shop/sa/web/x", "prod", ("", "")),
        ("spiffe://prod/ns/Shop/sa/web", "prod", ("", "")),
        ("spiffe://prod/NS/shop/SA/web", "prod", ("", "")),
    ],
)
def test_a_spiffe_id_has_a_trust_domain_and_optionally_a_workload(
    uri: str, domain: str, workload: tuple[str, str]
) -> None:
    """Only the exact form /ns/NS/sa/SA names a Kubernetes workload."""
    spiffe_id = parse_spiffe_id(uri)
    assert (spiffe_id.trust_domain, spiffe_id.workload) == (domain, workload)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://cluster.local/ns/shop/sa/web",
        "spiffe:cluster.local/ns/shop/sa/web",
        "spiffe:///ns/shop/sa/web",
        "spiffe://Cluster.local/ns/shop/sa/web",
        "spiffe://user@cluster.local/ns/shop/sa/web",
        "spiffe://cluster.local:443/ns/shop/sa/web",
        "spiffe://cluster.local/",
        "spiffe://cluster.local/ns/shop/sa/web/",
        "spiffe://cluster.local/ns//sa/web",
        "spiffe://cluster.local/ns/pay/../shop/sa/web",
        "spiffe://cluster.local/ns/./sa/web",
        "spiffe://cluster.local/ns/sh%6Fp/sa/web",
        "spiffe://cluster.local/ns/shop/sa/web?x=1",
        "spiffe://cluster.local/ns/shop/sa/web#x",
        "spiffe://cluster.local/ns/shop/sa/web\n",
        "spiffe://cluster.local/" + "a" * 2048,
    ],
)
def test_a_broken_spiffe_id_is_none(uri: str) -> None:
    """SPIFFE-ID, section 2: no user, port, query, fragment, escapes, or empty and relative segments."""
    with pytest.raises(ValueError, match=r"^it"):
        parse_spiffe_id(uri)


def test_a_certificate_with_a_spiffe_id_names_a_workload() -> None:
    """DNS names are kept beside it."""
    certificate = of_certificate([f"URI:{WEB}", "DNS:Web.Shop"], frozenset({"cluster.local"}))
    assert certificate == Identity("certificate", "shop", "web", WEB, ("web.shop",))
    assert str(certificate) == WEB


def test_a_certificate_without_a_spiffe_id_has_its_dns_names_and_no_namespace() -> None:
    """A certificate with a URI of another scheme, too."""
    certificate = of_certificate(["DNS:b.example", "DNS:a.example", "URI:https://a.example"], frozenset())
    assert certificate == Identity("certificate", dns_names=("a.example", "b.example"))
    assert str(certificate) == "certificate of a.example, b.example"


@pytest.mark.parametrize(
    ("names", "domains", "reason"),
    [
        ([], (), "neither a SPIFFE ID nor a DNS name"),
        (["URI:https://a.example"], (), "neither a SPIFFE ID nor a DNS name"),
        (["DNS:a.example"], ("cluster.local",), "has no SPIFFE ID"),
        ([f"URI:{WEB}"], ("other",), "trust domain cluster.local"),
        ([f"URI:{WEB}", "URI:https://a.example"], (), "another URI"),
        ([f"URI:{WEB}", "URI:spiffe://cluster.local/ns/pay/sa/root"], (), "another URI"),
        (["URI:spiffe://cluster.local/ns/../sa/web"], (), "is broken"),
        # A broken SPIFFE ID is an error also beside a valid DNS name.
        (["URI:SPIFFE:x", "DNS:a.example"], (), "is broken"),
    ],
)
def test_a_certificate_without_an_identity_is_refused(
    names: list[str], domains: tuple[str, ...], reason: str
) -> None:
    """The refusal names the reason."""
    with pytest.raises(ValueError, match=reason):
        of_certificate(names, frozenset(domains))


@pytest.mark.parametrize(
    ("username", "account"),
    [
        ("system:serviceaccount:shop:web", ("shop", "web")),
        ("system:serviceaccount:shop:web.v2", ("shop", "web.v2")),
        ("system:serviceaccount:shop:web:x", None),
        ("system:serviceaccount:shop:", None),
        ("system:serviceaccount:sh/op:web", None),
        ("system:node:web", None),
        ("xsystem:serviceaccount:shop:web", None),
        ("system:serviceaccount:shop:web\n", None),
        ("", None),
    ],
)
def test_only_a_service_account_user_name_is_parsed(username: str, account: tuple[str, str] | None) -> None:
    """Other Kubernetes user names yield no identity."""
    assert parse_username(username) == account


def test_an_identity_has_a_text_for_log_lines() -> None:
    assert str(of_service_account("shop", "web")) == "service account shop/web"
    assert str(Identity("token", name="ci")) == "token ci"
    assert str(Identity("unix_socket")) == "client of the Unix socket"
