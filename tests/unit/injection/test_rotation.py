"""Which certificates are issued when, and what API servers trust meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from steerway.certificate.pair import Pair, UnusableError, issue, new_authority
from steerway.injection.certificate import bundle
from steerway.injection.certificate.context import server_context
from steerway.injection.certificate.material import Material
from steerway.injection.certificate.rotation import AUTHORITY_LIFETIME, SERVING_LIFETIME, rotated
from testbed.certificate import Authority, rsa_key

NOW = datetime(2026, 11, 30, tzinfo=UTC)
NAMES = ("steerway.mesh-system.svc", "steerway.mesh-system.svc.cluster.local")


def first() -> Material:
    return rotated(None, NAMES, NOW, upcoming_trusted=False)


def test_a_new_secret_has_a_certificate_that_its_authority_has_issued() -> None:
    """For the names of the Service, and usable by TLS."""
    material = first()
    assert material.serving.names == NAMES
    assert material.authority.has_issued(material.serving)
    assert material.serving.x509.not_valid_after_utc == NOW + SERVING_LIFETIME
    assert material.trusted == (material.authority.certificate,)
    server_context(material.serving.certificate, material.serving.key)


def test_nothing_is_due_for_two_thirds_of_the_lifetime() -> None:
    """Replicas do not write without a reason."""
    material = first()
    later = NOW + SERVING_LIFETIME * 0.6
    assert rotated(material, NAMES, later, upcoming_trusted=False) == material


def test_the_serving_certificate_is_renewed_by_the_same_authority() -> None:
    """So it is trusted at once."""
    material = first()
    renewed = rotated(material, NAMES, NOW + SERVING_LIFETIME * 0.7, upcoming_trusted=False)
    assert renewed.serving != material.serving
    assert renewed.authority == material.authority
    assert renewed.authority.has_issued(renewed.serving)


def test_other_names_need_another_certificate() -> None:
    """The setting `injection.service` changed."""
    renewed = rotated(first(), ("other.mesh-system.svc",), NOW, upcoming_trusted=False)
    assert renewed.serving.names == ("other.mesh-system.svc",)


def test_the_next_authority_is_trusted_before_it_is_used() -> None:
    """And the former one until it expires."""
    material = first()
    due = NOW + AUTHORITY_LIFETIME * 0.7
    announced = rotated(material, NAMES, due, upcoming_trusted=False)
    assert announced.authority == material.authority
    assert announced.upcoming is not None
    assert announced.trusted == (material.authority.certificate, announced.upcoming.certificate)
    assert rotated(announced, NAMES, due, upcoming_trusted=False) == announced, "not trusted yet"
    used = rotated(announced, NAMES, due, upcoming_trusted=True)
    assert used.authority == announced.upcoming
    assert used.upcoming is None
    assert used.authority.has_issued(used.serving)
    assert used.trusted == (announced.upcoming.certificate, material.authority.certificate)
    assert rotated(used, NAMES, due, upcoming_trusted=False) == used
    expired = NOW + AUTHORITY_LIFETIME + timedelta(seconds=1)
    assert rotated(used, NAMES, expired, upcoming_trusted=False).retired == ()


def test_an_expired_authority_is_replaced_at_once() -> None:
    """The cluster was off for a year: there is nothing left that could be trusted."""
    material = first()
    replaced = rotated(material, NAMES, NOW + AUTHORITY_LIFETIME * 2, upcoming_trusted=False)
    assert replaced.authority != material.authority
    assert replaced.retired == ()


def test_the_secret_is_read_as_it_was_written() -> None:
    """With all its parts."""
    material = rotated(first(), NAMES, NOW + AUTHORITY_LIFETIME * 0.7, upcoming_trusted=False)
    used = rotated(material, NAMES, NOW + AUTHORITY_LIFETIME * 0.7, upcoming_trusted=True)
    for state in (first(), material, used):
        assert Material.decode(state.encode()) == state


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("ca.crt", None, "ca.crt: missing"),
        ("ca.crt", "", "ca.crt: no certificate"),
        ("tls.key", None, "tls.key: missing"),
        ("tls.crt", "%", "tls.crt: not base64"),
        ("tls.crt", "QQ==", "tls.crt: the certificate is not readable"),
        ("ca.key", "QQ==", "ca.crt: the key is not readable"),
    ],
)
def test_a_damaged_secret_is_refused_by_the_name_of_its_key(key: str, value: str | None, reason: str) -> None:
    """The operator sees which one."""
    data = first().encode()
    data.pop(key)
    if value is not None:
        data[key] = value
    with pytest.raises(UnusableError) as error:
        Material.decode(data)
    assert str(error.value).startswith(reason)


def test_a_certificate_and_the_key_of_another_are_refused() -> None:
    """A half replaced Secret."""
    first_pair, second_pair = first().serving, first().serving
    with pytest.raises(UnusableError, match="do not belong together"):
        Pair(first_pair.certificate, second_pair.key)


def test_keys_of_the_user_may_be_rsa() -> None:
    """A Secret that a user made."""
    certified = Authority().issue(*NAMES, key=rsa_key())
    assert Pair(certified.certificate, certified.key).names == NAMES


class TestBundle:
    """`caBundle` of the webhook."""

    first, second, expired = (
        new_authority("CA", NOW, AUTHORITY_LIFETIME).certificate,
        new_authority("CA", NOW, AUTHORITY_LIFETIME).certificate,
        new_authority("CA", NOW - 2 * AUTHORITY_LIFETIME, AUTHORITY_LIFETIME).certificate,
    )

    def test_it_grows_at_once(self) -> None:
        """What is there stays: replicas may use it still. Expired ones and garbage do not."""
        assert bundle.updated(b"", (self.first,), NOW, settled=False) == self.first
        present = self.second + b"garbage\n" + self.expired
        assert bundle.updated(present, (self.first,), NOW, settled=False) == self.first + self.second

    def test_it_shrinks_after_a_while(self) -> None:
        """When every replica has the new certificate."""
        present = self.first + self.second
        assert bundle.updated(present, (self.first,), NOW, settled=False) is None
        assert bundle.updated(present, (self.first,), NOW, settled=True) == self.first

    def test_it_stays_when_it_is_right(self) -> None:
        """In any order."""
        present = self.second + self.first
        assert bundle.updated(present, (self.first, self.second), NOW, settled=True) is None

    def test_a_leaf_in_it_is_no_harm(self) -> None:
        """It is another certificate."""
        authority = new_authority("CA", NOW, AUTHORITY_LIFETIME)
        leaf = issue(authority, NAMES, NOW, SERVING_LIFETIME).certificate
        assert bundle.certificates(leaf + self.first) == (leaf, self.first)
