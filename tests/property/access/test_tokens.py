"""Whatever a client sends as its token, reading it raises nothing, and believing it takes a signature."""

import asyncio
import base64
import json
import time
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from steerway.access.identity import Identity, parse_spiffe_id
from steerway.access.result import Credential, Refusal
from steerway.access.token import token_claims
from steerway.access.token.jwks import SignedToken
from steerway.access.token.token_review import TokenReview
from steerway.testing.fake_token_issuer import FakeTokenIssuer

ISSUER = FakeTokenIssuer()
GOOD = ISSUER.token()
KID = json.loads(base64.urlsafe_b64decode(GOOD.split(".")[0] + "=="))["kid"]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["none", "HS256", "RS256", "ES256"]) | values,
        "kid": st.just(KID) | values,
        "typ": values,
        "crit": values,
        "b64": values,
    },
)
claims = st.fixed_dictionaries(
    {},
    optional={
        "exp": st.integers(0, 2**40) | values,
        "aud": st.just("steerway") | values,
        "iss": st.just(ISSUER.url) | values,
        "sub": st.just("system:serviceaccount:kube-system:root") | values,
        "nbf": values,
        "iat": values,
    },
)


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


tokens = st.one_of(
    st.text(max_size=40),
    st.lists(st.text("ABCabc012_-=", max_size=12), min_size=2, max_size=4).map(".".join),
    st.builds(
        lambda head, body, signature: f"{_part(head)}.{_part(body)}.{signature}",
        headers | values,
        claims | values,
        st.sampled_from(["", "AAAA", GOOD.split(".")[2]]),
    ),
)


class NoServer:
    """An API server that is asked and refuses."""

    async def post(self, _path: str, _body: Any) -> bytes:
        return json.dumps({"status": {"authenticated": False}}).encode()


@given(tokens)
@example(f"{_part({'alg': 'none', 'kid': KID})}.{GOOD.split('.')[1]}.")
@example(f"{_part({'alg': 'ES256', 'kid': KID})}.{_part({'exp': 10**400})}.AAAA")
def test_no_unsigned_token_is_accepted(token: str) -> None:
    """Neither by its signature nor by the API server, and nothing is raised."""

    async def authenticate() -> None:
        signed = SignedToken(("steerway",), ISSUER.url, None, timeout_seconds=5)
        signed.take(ISSUER.jwks(), "keys")
        review = TokenReview(NoServer(), ("steerway",), 60, timeout_seconds=5)
        for authenticator in (signed, review):
            outcome = authenticator.authenticate(Credential(token))
            result = outcome if isinstance(outcome, Identity | Refusal) else await outcome
            assert isinstance(result, Refusal)
            await authenticator.close()

    asyncio.run(authenticate())


@given(tokens)
def test_claims_are_read_or_there_are_none(token: str) -> None:
    """ValueError is the only error."""
    try:
        result = token_claims.read(token).claims
        expires = token_claims.check_times(result, time.time())
    except ValueError:
        return
    assert expires is None or abs(expires) < 1e12
    assert all(isinstance(audience, str) for audience in token_claims.audiences(result))


@given(st.text(max_size=60) | st.text("spiffe:/.%ns-a", max_size=40).map("spiffe://d/ns/".__add__))
def test_a_spiffe_id_never_leaves_its_path(uri: str) -> None:
    """What is accepted has no relative, empty or escaped segment."""
    try:
        spiffe_id = parse_spiffe_id(uri)
    except ValueError:
        return
    segments = spiffe_id.path.split("/")[1:]
    assert not {"", ".", ".."} & set(segments)
    assert "%" not in spiffe_id.path
