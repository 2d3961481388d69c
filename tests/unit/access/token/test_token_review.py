"""TokenReview over real HTTP: which tokens are reviewed, how often, how long results are valid, and outages."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from steerway.access.identity import Identity, of_service_account
from steerway.access.result import UNAUTHENTICATED, UNAVAILABLE, Credential, Refusal
from steerway.access.token.key_set import KeySet
from steerway.access.token.key_source import of_cluster
from steerway.access.token.token_review import (
    MAX_OPEN,
    MAX_OPEN_BY_NETWORK,
    PATH,
    REFUSED_SECONDS,
    RESERVED,
    TokenReview,
)
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.testing.fake_api_server import FakeApiServer
from steerway.testing.fake_token_issuer import FakeTokenIssuer
from tests.unit.access.conftest import settled

WEB = of_service_account("shop", "web")
CACHE_SECONDS = 120.0
ATTACKERS = (1, 2, 3)
FLOOD = 100
"""Tokens of each attacker."""


class Clock:
    """Time that advances only when the test sets it."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def review(client: KubernetesClient, clock: Clock) -> AsyncIterator[TokenReview]:
    made = TokenReview(client, ("steerway",), CACHE_SECONDS, timeout_seconds=20.0, clock=clock)
    yield made
    await made.close()


def with_keys(client: KubernetesClient, clock: Clock) -> TokenReview:
    """An authenticator that verifies signatures first."""
    keys = KeySet("", of_cluster(client), timeout_seconds=10.0, clock=clock)
    return TokenReview(client, ("steerway",), CACHE_SECONDS, timeout_seconds=20.0, clock=clock, keys=keys)


async def authenticate(review: TokenReview, token: str, network: str = "") -> Identity | Refusal:
    return await settled(review.authenticate(Credential(token, peer=f"{network}:1")))


async def test_an_accepted_token_is_reviewed_once(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """Its identity is the service account; the result is used until the configured age."""
    token = issuer.token()
    assert await authenticate(review, token) == WEB
    assert review.authenticate(Credential(token)) == WEB, "known at once"
    clock.now += CACHE_SECONDS
    assert isinstance(review.authenticate(Credential(token)), Awaitable)
    assert await authenticate(review, token) == WEB
    assert issuer.reviewed == [token, token]
    assert [(r.method, r.path) for r in server.requests] == [("POST", PATH)] * 2


async def test_many_streams_with_one_token_share_one_review(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """Also when one of them ends before the answer."""
    token = issuer.token()
    server.pause()
    waiting = [asyncio.ensure_future(settled(review.authenticate(Credential(token)))) for _ in range(50)]
    await server.until(lambda: server.count("create") == 1)
    waiting.pop().cancel()
    server.release()
    assert set(await asyncio.gather(*waiting)) == {WEB}
    assert issuer.reviewed == [token]


async def test_the_number_of_open_reviews_is_limited(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """In total and per network. Other tokens wait for their turn without blocking the event loop."""
    server.pause()
    tokens = [issuer.token(account=f"a{number}") for number in range(2 * MAX_OPEN)]
    waiting = [asyncio.ensure_future(authenticate(review, token)) for token in tokens]
    await server.until(lambda: server.count("create") == MAX_OPEN_BY_NETWORK)
    others = [
        asyncio.ensure_future(
            authenticate(review, issuer.token(account="b", jti=str(number)), f"10.0.0.{number}")
        )
        for number in range(2 * MAX_OPEN)
    ]
    await server.until(lambda: server.count("create") == MAX_OPEN - RESERVED)
    for _ in range(100):
        await asyncio.sleep(0)
    assert server.count("create") == MAX_OPEN - RESERVED
    server.release()
    results = await asyncio.gather(*waiting)
    assert results == [of_service_account("shop", f"a{number}") for number in range(2 * MAX_OPEN)]
    assert set(await asyncio.gather(*others)) == {of_service_account("shop", "b")}


def _flood(review: TokenReview, token: str) -> list[asyncio.Future[Any]]:
    """Altered tokens of attackers in three networks, all different."""
    return [
        asyncio.ensure_future(
            authenticate(review, _altered(token, jti=f"{network}-{number}"), f"10.9.9.{network}")
        )
        for network in ATTACKERS
        for number in range(FLOOD)
    ]


async def test_an_honest_review_waits_for_one_of_each_attacker(
    client: KubernetesClient, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """Without the cluster's keys, however many tokens of an attacker wait before it."""
    started: list[str] = []

    class Recorder:
        server = client.server

        async def post(self, path: str, body: Any) -> bytes:
            started.append(body["spec"]["token"])
            return await client.post(path, body)

    review = TokenReview(Recorder(), ("steerway",), CACHE_SECONDS, timeout_seconds=20.0)
    server.pause()
    forged, honest = issuer.token(), issuer.token(account="honest")
    flood = _flood(review, forged)
    await server.until(lambda: server.count("create") == MAX_OPEN - RESERVED)
    answer = asyncio.ensure_future(authenticate(review, honest, "10.0.0.1"))
    server.release()
    assert await answer == of_service_account("shop", "honest")
    assert started.index(honest) <= MAX_OPEN - RESERVED + len(ATTACKERS)
    await asyncio.gather(*flood)
    assert len(started) == len(flood) + 1
    await review.close()


async def test_a_bad_signature_is_refused_without_a_review(
    client: KubernetesClient, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """If the cluster publishes its keys. A valid one is reviewed, since only the API server knows revoked tokens."""
    review = with_keys(client, clock)
    forged, good, revoked = issuer.token(), issuer.token(account="honest"), issuer.token(account="gone")
    issuer.revoke(revoked)
    for result in await asyncio.gather(*_flood(review, forged)):
        assert isinstance(result, Refusal)
        assert (result.code, "the token is not good" in result.reason) == (UNAUTHENTICATED, True)
    assert issuer.reviewed == []
    assert await authenticate(review, good) == of_service_account("shop", "honest")
    result = await authenticate(review, revoked)
    assert isinstance(result, Refusal)
    assert "invalidated" in result.reason
    assert issuer.reviewed == [good, revoked]
    await review.close()


async def test_valid_signatures_are_reviewed_before_those_of_unknown_keys(
    client: KubernetesClient, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """The API server may already know a new key: such tokens are reviewed, after the others."""
    review = with_keys(client, clock)
    await authenticate(review, issuer.token(account="first"))
    honest = issuer.token(account="honest")
    issuer.rotate()
    server.pause()
    rotated = [issuer.token(account="new", jti=str(number)) for number in range(2 * MAX_OPEN)]
    others = [
        asyncio.ensure_future(authenticate(review, token, f"10.0.0.{number}"))
        for number, token in enumerate(rotated)
    ]
    await server.until(lambda: server.count("create") == 1 + MAX_OPEN - RESERVED)
    answer = asyncio.ensure_future(authenticate(review, honest, "10.0.0.1"))
    await server.until(lambda: server.count("create") == 2 + MAX_OPEN - RESERVED)
    server.release()
    assert await answer == of_service_account("shop", "honest")
    assert set(await asyncio.gather(*others)) == {of_service_account("shop", "new")}
    stranger = FakeTokenIssuer(url="https://elsewhere").token()
    result = await authenticate(review, stranger)
    assert isinstance(result, Refusal)
    assert "was not issued by https://kubernetes.default.svc" in result.reason
    assert stranger not in issuer.reviewed
    await review.close()


async def test_a_cluster_that_publishes_no_keys_reviews_every_token(
    client: KubernetesClient, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """A forbidden key document is not a problem of the reviews."""
    server.fail(403, verb="get", times=2)
    review = with_keys(client, clock)
    assert await authenticate(review, issuer.token()) == WEB
    assert await authenticate(review, issuer.token(jti="2")) == WEB
    assert review.problem is None
    assert len(issuer.reviewed) == 2
    await review.close()


async def test_a_refusal_is_cached_for_a_while(
    review: TokenReview, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """Without another review; afterwards the token is reviewed again."""
    token = issuer.token()
    issuer.revoke(token)
    for _ in range(3):
        result = await authenticate(review, token)
        assert isinstance(result, Refusal)
        assert result.code == UNAUTHENTICATED
        assert "invalidated" in result.reason
        assert "invalidated" not in result.client_message
    assert len(issuer.reviewed) == 1
    clock.now += REFUSED_SECONDS
    await authenticate(review, token)
    assert len(issuer.reviewed) == 2


def _altered(token: str, **claims: Any) -> str:
    """The token with other claims and its original signature."""
    head, body, signature = token.split(".")
    old = json.loads(base64.urlsafe_b64decode(body + "=="))
    new = base64.urlsafe_b64encode(json.dumps({**old, **claims}).encode()).rstrip(b"=").decode()
    return f"{head}.{new}.{signature}"


async def test_an_altered_token_is_refused_by_the_api_server(
    review: TokenReview, issuer: FakeTokenIssuer
) -> None:
    """Claims are not trusted without a review."""
    result = await authenticate(
        review, _altered(issuer.token(), sub="system:serviceaccount:kube-system:root")
    )
    assert isinstance(result, Refusal)
    assert "does not accept the token" in result.reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (
            {"audience": "https://kubernetes.default.svc"},
            "is for https://kubernetes.default.svc and not for steerway",
        ),
        ({"life_seconds": -1}, "has expired"),
        ({"nbf": 99_999_999_999}, "is not yet valid"),
    ],
)
async def test_an_evidently_invalid_token_is_not_reviewed(
    review: TokenReview, issuer: FakeTokenIssuer, claims: dict[str, Any], reason: str
) -> None:
    """A flood of such tokens does not reach the API server."""
    result = await authenticate(review, issuer.token(**claims))
    assert isinstance(result, Refusal)
    assert reason in result.reason
    assert issuer.reviewed == []


@pytest.mark.parametrize(
    "token",
    [
        *("x", "a.b.c", "ü" * 20, "x" * 20_000, "e30.e30.", "e30.e30.e30", "null"),
        *(f"{head}.e30.AAAA" for head in ("eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9")),  # none, HS256
    ],
)
async def test_a_malformed_token_is_not_reviewed(
    review: TokenReview, issuer: FakeTokenIssuer, token: str
) -> None:
    """No input raises."""
    result = await authenticate(review, token)
    assert issuer.reviewed == []
    assert isinstance(result, Refusal)


async def test_only_service_accounts_have_an_identity(review: TokenReview, issuer: FakeTokenIssuer) -> None:
    """Users and nodes have no namespace."""
    result = await authenticate(review, issuer.token(sub="system:node:worker-1"))
    assert isinstance(result, Refusal)
    assert "'system:node:worker-1', which is no service account" in result.reason


async def test_a_review_without_audiences_is_refused(
    review: TokenReview, issuer: FakeTokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TokenReviewSpec: the answer must name the audience."""
    user = {"username": "system:serviceaccount:shop:web"}
    monkeypatch.setattr(issuer, "review", lambda *_: {"authenticated": True, "user": user})
    result = await authenticate(review, issuer.token())
    assert isinstance(result, Refusal)
    assert result.code == UNAUTHENTICATED
    assert "is not for steerway" in result.reason


async def test_the_hint_depends_on_the_cause(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """RBAC is the hint for a forbidden review only, not for an unreachable server."""
    server.fail(403, verb="create")
    await authenticate(review, issuer.token())
    assert review.problem is not None
    assert "create on tokenreviews" in review.problem.hint
    await server.stop()
    await authenticate(review, issuer.token())
    assert "connection refused" in review.problem.reason
    assert review.problem.hint.startswith("nothing listens there: start the API server")
    assert "tokenreviews" not in review.problem.hint


async def test_during_an_outage_known_tokens_are_accepted_and_new_ones_unavailable(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """Accepted tokens stay accepted until they expire; a new answer clears the problem."""
    token = issuer.token(life_seconds=1000)
    assert await authenticate(review, token) == WEB
    clock.now += CACHE_SECONDS
    server.fail(503, verb="create", times=3)
    assert await authenticate(review, token) == WEB
    assert review.problem is not None
    assert "503" in review.problem.reason
    assert review.problem.hint == "the API server cannot answer now; it is asked again"
    result = await authenticate(review, issuer.token(account="new"))
    assert isinstance(result, Refusal)
    assert result.code == UNAVAILABLE
    clock.now += 1000
    result = await authenticate(review, token)
    assert isinstance(result, Refusal)
    assert "has expired" in result.reason
    await authenticate(review, issuer.token(account="new", life_seconds=10_000))
    assert await authenticate(review, issuer.token(account="new", life_seconds=10_000)) == of_service_account(
        "shop", "new"
    )
    assert review.problem is None


async def test_an_unreachable_server_is_unavailable(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """A refused connection, and an answer that is not a TokenReview."""
    await server.stop()
    result = await authenticate(review, issuer.token())
    assert isinstance(result, Refusal)
    assert (result.code, "connection refused" in result.reason) == (UNAVAILABLE, True)
    await server.start()
    server.issuer = None
    result = await authenticate(review, issuer.token())
    assert isinstance(result, Refusal)
    assert result.code == UNAVAILABLE


async def test_a_missing_answer_is_unavailable(
    client: KubernetesClient, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """After the timeout, which includes the wait for a turn."""
    server.pause()
    review = TokenReview(client, ("steerway",), CACHE_SECONDS, timeout_seconds=0.01)
    result = await authenticate(review, issuer.token())
    assert isinstance(result, Refusal)
    assert result.code == UNAVAILABLE
    assert "has not answered within 0.01 s" in result.reason
    server.release()
