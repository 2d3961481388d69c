"""Token verification by signature: real keys, every claim, key rotation, and how often keys are fetched."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest

from steerway.access.identity import Identity, of_service_account
from steerway.access.result import UNAUTHENTICATED, UNAVAILABLE, Credential, Refusal
from steerway.access.token.jwks import SignedToken
from steerway.access.token.key_set import (
    FETCH_PAUSE_SECONDS,
    MAX_AGE_SECONDS,
    RETRY_PAUSE_SECONDS,
    parse_keys,
)
from steerway.access.token.key_source import of_cluster, of_url
from steerway.access.watched_files import ContentError
from steerway.errors import SourceError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.testing.fake_api_server import FakeApiServer
from steerway.testing.fake_token_issuer import DISCOVERY, JWKS, Algorithm, FakeTokenIssuer
from tests.unit.access.conftest import settled

WEB = of_service_account("shop", "web")


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def signed(client: KubernetesClient, clock: Clock) -> AsyncIterator[SignedToken]:
    made = SignedToken(("steerway", "mesh"), "", of_cluster(client), timeout_seconds=20.0, clock=clock)
    yield made
    await made.close()


async def authenticate(signed: SignedToken, token: str) -> Identity | Refusal:
    return await settled(signed.authenticate(Credential(token)))


def fetches(server: FakeApiServer) -> int:
    return sum(request.path == JWKS for request in server.requests)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_token_is_verified_with_the_keys_of_the_cluster(
    signed: SignedToken, server: FakeApiServer, algorithm: Algorithm
) -> None:
    """Keys and issuer are fetched once for many simultaneous clients."""
    issuer = server.issuer = FakeTokenIssuer(algorithm)
    tokens = [
        issuer.token(audience=audience) for audience in ("steerway", ["other", "mesh"]) for _ in range(10)
    ]
    assert await asyncio.gather(*(authenticate(signed, token) for token in tokens)) == [WEB] * 20
    assert signed.authenticate(Credential(tokens[0])) == WEB, "known at once"
    assert [request.path for request in server.requests] == [DISCOVERY, JWKS]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (
            {"audience": "https://kubernetes.default.svc"},
            "is for https://kubernetes.default.svc and not for steerway",
        ),
        ({"aud": None}, "aud"),
        ({"audience": []}, "aud"),
        ({"life_seconds": -60}, "expired"),
        ({"exp": None}, "exp"),
        ({"iss": "https://elsewhere"}, "issuer"),
        ({"iss": None}, "iss"),
        ({"nbf": 99_999_999_999}, "not yet valid"),
        ({"sub": None}, "sub"),
        ({"sub": "system:node:x"}, "which is no service account"),
        ({"sub": "system:serviceaccount:shop"}, "which is no service account"),
    ],
)
async def test_every_claim_is_checked(
    signed: SignedToken, issuer: FakeTokenIssuer, claims: dict[str, Any], reason: str
) -> None:
    """A token with a valid signature and one wrong claim is refused; the reason is not sent to the client."""
    result = await authenticate(signed, issuer.token(**claims))
    assert isinstance(result, Refusal)
    assert result.code == UNAUTHENTICATED
    assert reason in result.reason
    assert reason not in result.client_message


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _unsigned(token: str, _issuer: FakeTokenIssuer) -> str:
    """RFC 8725, section 2.1: the algorithm `none`."""
    header = jwt.get_unverified_header(token)
    return f"{_part({**header, 'alg': 'none'})}.{token.split('.')[1]}."


def _confused(token: str, issuer: FakeTokenIssuer) -> str:
    """RFC 8725, section 2.1: the public key used as the secret of an HMAC."""
    header = {**jwt.get_unverified_header(token), "alg": "HS256"}
    signed = f"{_part(header)}.{token.split('.')[1]}"
    digest = hmac.new(issuer.jwks(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _altered(token: str, issuer: FakeTokenIssuer) -> str:
    """The claims of another token under this signature."""
    other = issuer.token("kube-system", "root")
    return ".".join((token.split(".")[0], other.split(".")[1], token.split(".")[2]))


def _foreign(token: str, issuer: FakeTokenIssuer) -> str:
    """The ID of a valid key, signed with another key."""
    stranger = FakeTokenIssuer(url=issuer.url)
    kid = jwt.get_unverified_header(token)["kid"]
    head, *rest = stranger.token("kube-system", "root").split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    return ".".join((_part({**header, "kid": kid}), *rest))


@pytest.mark.parametrize("forge", [_unsigned, _confused, _altered, _foreign])
async def test_a_forged_token_is_refused(
    signed: SignedToken, issuer: FakeTokenIssuer, forge: Callable[[str, FakeTokenIssuer], str]
) -> None:
    """The key determines the algorithm, never the token."""
    good = issuer.token()
    assert await authenticate(signed, good) == WEB
    result = await authenticate(signed, forge(good, issuer))
    assert isinstance(result, Refusal)
    assert result.code == UNAUTHENTICATED


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "ü" * 20, "x" * 20_000, "e30.e30.e30", "bnVsbA.bnVsbA.x"]
)
async def test_a_malformed_token_is_refused(signed: SignedToken, token: str) -> None:
    """No input raises."""
    assert isinstance(await authenticate(signed, token), Refusal)


async def test_a_rotated_key_is_fetched_when_a_token_names_it(
    signed: SignedToken, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """At most once per pause: clients could cause fetches by inventing key IDs."""
    old = issuer.token(life_seconds=86_400)
    assert await authenticate(signed, old) == WEB
    issuer.rotate()
    result = await authenticate(signed, issuer.token())
    assert isinstance(result, Refusal)
    assert "which the cluster's JWKS does not have" in result.reason
    clock.now += FETCH_PAUSE_SECONDS
    assert await authenticate(signed, issuer.token()) == WEB
    assert await authenticate(signed, old) == WEB
    for _ in range(20):
        assert isinstance(await authenticate(signed, FakeTokenIssuer(url=issuer.url).token()), Refusal)
    assert fetches(server) == 2


async def test_a_withdrawn_key_expires_within_an_hour(
    signed: SignedToken, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """The first token after that time starts a fetch and does not wait for it."""
    old = issuer.token(life_seconds=86_400)
    assert await authenticate(signed, old) == WEB
    issuer.rotate(keep=False)
    clock.now += MAX_AGE_SECONDS
    assert await authenticate(signed, old) == WEB
    await server.until(lambda: fetches(server) == 2)
    while isinstance(await authenticate(signed, old), Identity):  # noqa: ASYNC110 - it can only be asked
        await asyncio.sleep(0)
    assert await authenticate(signed, issuer.token()) == WEB


async def test_keys_are_kept_while_the_api_server_is_unreachable(
    signed: SignedToken, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """Tokens are verified with the present keys; tokens of a new key are UNAVAILABLE."""
    token = issuer.token(life_seconds=86_400)
    assert await authenticate(signed, token) == WEB
    await server.stop()
    clock.now += MAX_AGE_SECONDS
    assert await authenticate(signed, token) == WEB
    issuer.rotate()
    result = await authenticate(signed, issuer.token())
    assert isinstance(result, Refusal)
    assert result.code == UNAVAILABLE
    assert signed.problem is not None
    assert "connection refused" in signed.problem.reason
    assert signed.problem.hint.startswith("nothing listens there: start the API server")
    await server.start()
    clock.now += RETRY_PAUSE_SECONDS
    assert await authenticate(signed, issuer.token()) == WEB
    assert signed.problem is None


async def test_before_the_first_keys_clients_are_unavailable(
    signed: SignedToken, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """Also clients that do not wait for the fetch; it is soon retried."""
    server.issuer = None
    for _ in range(3):
        result = await authenticate(signed, issuer.token())
        assert isinstance(result, Refusal)
        assert result.code == UNAVAILABLE
    assert sum(request.path == DISCOVERY for request in server.requests) == 1


async def test_keys_of_a_url_need_a_configured_issuer(server: FakeApiServer, issuer: FakeTokenIssuer) -> None:
    """The document has the same form; any status but 200 is an error."""
    signed = SignedToken(("steerway",), issuer.url, of_url(f"{server.url}{JWKS}"), timeout_seconds=20.0)
    assert await authenticate(signed, issuer.token()) == WEB
    url = f"{server.url}/nothing"
    with pytest.raises(SourceError, match="404") as missing:
        await of_url(url)()
    assert missing.value.hint == f"check that {url} serves the document without credentials"
    await server.stop()
    with pytest.raises(SourceError, match="connection refused") as refused:
        await of_url(f"{server.url}{JWKS}")()
    assert refused.value.hint.startswith("nothing listens there: start the server, or correct")
    await signed.close()


def test_a_key_set_has_keys_that_can_verify(issuer: FakeTokenIssuer) -> None:
    """Symmetric keys and keys without ID are skipped; a set without other keys is invalid."""
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256"}
    (good,) = json.loads(issuer.jwks())["keys"]
    nameless = {name: value for name, value in good.items() if name != "kid"}
    keys = parse_keys(json.dumps({"keys": [secret, nameless, good, 7, {"kty": "?"}]}).encode(), "f")
    assert list(keys) == [good["kid"]]
    for broken in ("", "[]", "{}", '{"keys": []}', '{"keys": 7}', "[" * 100_000):
        with pytest.raises(ContentError, match=r"^f: is no JSON Web Key Set"):
            parse_keys(broken.encode(), "f")
    with pytest.raises(ContentError, match=r"^f: has no key with a kid"):
        parse_keys(json.dumps({"keys": [secret, nameless]}).encode(), "f")
