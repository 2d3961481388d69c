"""A CA of another issuer, and the content of the Secret: what cannot be used is named."""

from datetime import UTC, datetime, timedelta

import pytest

from steerway.certificate.pair import UnusableError, issue, new_authority
from steerway.certificate.secret import encoded
from steerway.signer.authority.brought import authority_of
from steerway.signer.authority.rotation import Periods, advanced
from steerway.signer.authority.state import CaState

NOW, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)
ROOT = new_authority("root", NOW, 100 * DAY, path_length=2)
MIDDLE = new_authority("middle", NOW, 90 * DAY, path_length=1, issuer=ROOT)
ISSUER = new_authority("issuer", NOW, 80 * DAY, issuer=MIDDLE)
OTHER = new_authority("other", NOW, 100 * DAY)


def test_the_path_may_have_any_length() -> None:
    whole = {"tls.crt": ISSUER.certificate + MIDDLE.certificate, "tls.key": ISSUER.key}
    authority = authority_of(encoded(whole | {"ca.crt": OTHER.certificate + ROOT.certificate}))
    assert authority.root == ROOT.certificate
    assert authority.chain == (ISSUER.certificate, MIDDLE.certificate)
    with_root = {"tls.crt": ISSUER.certificate + MIDDLE.certificate + ROOT.certificate, "tls.key": ISSUER.key}
    assert authority_of(encoded(with_root)).chain == authority.chain
    alone = authority_of(encoded({"tls.crt": ROOT.certificate, "tls.key": ROOT.key}))
    assert (alone.root, alone.chain) == (ROOT.certificate, ())


@pytest.mark.parametrize(
    ("certificates", "key", "roots", "reason"),
    [
        (b"", ISSUER.key, ROOT.certificate, "tls.crt: no certificate"),
        (ISSUER.certificate, OTHER.key, ROOT.certificate, "do not belong together"),
        (ISSUER.certificate, ISSUER.key, ROOT.certificate, "ca.crt: no certificate that has issued"),
        (ISSUER.certificate + ROOT.certificate, ISSUER.key, b"", "not issued by the one that follows"),
        (ISSUER.certificate, b"", ROOT.certificate, "key is not readable"),
    ],
)
def test_what_cannot_be_used_is_named(certificates: bytes, key: bytes, roots: bytes, reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        authority_of(encoded({"tls.crt": certificates, "tls.key": key, "ca.crt": roots}))


def test_a_certificate_of_a_server_is_no_ca() -> None:
    server = issue(ROOT, ["a.example"], NOW, DAY)
    data = {"tls.crt": server.certificate, "tls.key": server.key, "ca.crt": ROOT.certificate}
    with pytest.raises(UnusableError, match="may not sign certificates"):
        authority_of(encoded(data))


@pytest.mark.parametrize("key", ["root.crt", "issuer.crt", "issuer.key", "retired.crt", "state.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_a_secret_that_cannot_be_used_is_named(key: str, content: bytes | None) -> None:
    """It is never replaced: only its deletion asks for a new CA."""
    state = advanced(None, NOW, Periods(DAY, 30 * DAY, 365 * DAY, DAY), frozenset())
    data = state.encode()
    assert CaState.decode(data) == state
    if content is None:
        del data[key]
    elif key == "retired.crt":
        data[key] = "***"
    else:
        data |= encoded({key: content})
    with pytest.raises(UnusableError, match=key.replace("issuer.key", "issuer")):
        CaState.decode(data)
