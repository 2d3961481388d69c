"""TokenReview over real HTTP: what is asked, how often, how long an answer is good, and what an outage does."""

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
    """Time that stands still until it is moved."""

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
    """One that verifies signatures first."""
    keys = KeySet("", of_cluster(client), timeout_seconds=10.0, clock=clock)
    return TokenReview(client, ("steerway",), CACHE_SECONDS, timeout_seconds=20.0, clock=clock, keys=keys)


async def authenticate(review: TokenReview, token: str, network: str = "") -> Identity | Refusal:
    return await settled(review.authenticate(Credential(token, network=network)))


async def test_a_good_token_is_asked_about_once(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """Its identity is the service account; the answer is used until it is as old as the setting says."""
    token = issuer.token()
    assert await authenticate(review, token) == WEB
    assert review.authenticate(Credential(token)) == WEB, "known at once"
    clock.now += CACHE_SECONDS
    assert isinstance(review.authenticate(Credential(token)), Awaitable)
    assert await authenticate(review, token) == WEB
    assert issuer.reviewed == [token, token]
    assert [(r.method, r.path) for r in server.requests] == [("POST", PATH)] * 2


async def test_many_streams_with_one_token_are_one_question(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """Also when one of them goes before the answer."""
    token = issuer.token()
    server.pause()
    waiting = [asyncio.ensure_future(settled(review.authenticate(Credential(token)))) for _ in range(50)]
    await server.until(lambda: server.count("create") == 1)
    waiting.pop().cancel()
    server.release()
    assert set(await asyncio.gather(*waiting)) == {WEB}
    assert issuer.reviewed == [token]


async def test_a_limited_number_of_questions_is_open(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """In all, and for one network. The others wait for their turn, and the event loop for none."""
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
    """Tokens of attackers in three networks: each altered, so that each is another one."""
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
    """Without the cluster's keys: however many of an attacker's tokens wait before it."""
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
    """Where the cluster publishes its keys; a good one is reviewed, which knows of tokens that were revoked."""
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


async def test_a_good_signature_comes_before_keys_that_are_not_known(
    client: KubernetesClient, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """A key may be so new that only the API server knows it: such tokens are reviewed, behind the others."""
    review = with_keys(client, clock)
    await authenticate(review, issuer.token(account="first"))
    honest = issuer.token(account="honest")
    issuer.rotate()
    server.pause()
    rotated = [issuer.token(account="new", jti=str(number)) for number in range(2 * MAX_OPEN)]
    others = [
        asyncio.ensure_future(authenticate(review, token, f"10.0.0.{place}"))
        for place, token in enumerate(rotated)
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
    """A forbidden document is no problem of the reviews."""
    server.fail(403, verb="get", times=2)
    review = with_keys(client, clock)
    assert await authenticate(review, issuer.token()) == WEB
    assert await authenticate(review, issuer.token(jti="2")) == WEB
    assert review.problem is None
    assert len(issuer.reviewed) == 2
    await review.close()


async def test_a_refused_token_is_refused_for_a_while(
    review: TokenReview, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """Without asking again; then it may have become good."""
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
    """The token with other claims and its old signature."""
    head, body, signature = token.split(".")
    old = json.loads(base64.urlsafe_b64decode(body + "=="))
    new = base64.urlsafe_b64encode(json.dumps({**old, **claims}).encode()).rstrip(b"=").decode()
    return f"{head}.{new}.{signature}"


async def test_a_token_that_was_altered_is_refused_by_the_api_server(
    review: TokenReview, issuer: FakeTokenIssuer
) -> None:
    """Claims are believed by nobody here."""
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
async def test_what_cannot_be_good_is_not_asked_about(
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
async def test_what_is_no_token_is_not_asked_about(
    review: TokenReview, issuer: FakeTokenIssuer, token: str
) -> None:
    """Whatever it is, nothing is raised."""
    result = await authenticate(review, token)
    assert issuer.reviewed == []
    assert isinstance(result, Refusal)


async def test_only_service_accounts_are_somebody(review: TokenReview, issuer: FakeTokenIssuer) -> None:
    """A person or a node has no namespace, and no business here."""
    result = await authenticate(review, issuer.token(sub="system:node:worker-1"))
    assert isinstance(result, Refusal)
    assert "'system:node:worker-1', which is no service account" in result.reason


async def test_a_server_that_knows_no_audiences_is_not_believed(
    review: TokenReview, issuer: FakeTokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TokenReviewSpec: the answer has to name the audience."""
    user = {"username": "system:serviceaccount:shop:web"}
    monkeypatch.setattr(issuer, "review", lambda *_: {"authenticated": True, "user": user})
    result = await authenticate(review, issuer.token())
    assert isinstance(result, Refusal)
    assert result.code == UNAUTHENTICATED
    assert "is not for steerway" in result.reason


async def test_the_advice_fits_the_cause(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """A server that does not answer is no matter of RBAC; only a refusal is."""
    server.fail(403, verb="create")
    await authenticate(review, issuer.token())
    assert review.problem is not None
    assert "create on tokenreviews" in review.problem.hint
    await server.stop()
    await authenticate(review, issuer.token())
    assert "connection refused" in review.problem.reason
    assert review.problem.hint.startswith("nothing listens there: start the API server")
    assert "tokenreviews" not in review.problem.hint


async def test_without_the_api_server_known_tokens_go_on_and_new_ones_have_to_wait(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer, clock: Clock
) -> None:
    """What was good stays good until it expires; all else is told to try again; an answer ends the problem."""
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


async def test_a_server_that_was_lost_altogether_is_unavailable(
    review: TokenReview, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """A refused connection, and an answer that is no TokenReview."""
    await server.stop()
    result = await authenticate(review, issuer.token())
    assert isinstance(result, Refusal)
    assert (result.code, "connection refused" in result.reason) == (UNAVAILABLE, True)
    await server.start()
    server.issuer = None
    result = await authenticate(review, issuer.token())
    assert isinstance(result, Refusal)
    assert result.code == UNAVAILABLE


async def test_an_answer_that_does_not_come_is_unavailable(
    client: KubernetesClient, server: FakeApiServer, issuer: FakeTokenIssuer
) -> None:
    """After the time-out; the wait for a turn counts."""
    server.pause()
    review = TokenReview(client, ("steerway",), CACHE_SECONDS, timeout_seconds=0.01)
    result = await authenticate(review, issuer.token())
    assert isinstance(result, Refusal)
    assert result.code == UNAVAILABLE
    assert "has not answered within 0.01 s" in result.reason
    server.release()
