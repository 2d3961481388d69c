"""The gate: each stream that opens is let in with an identity and a grant, or turned away with a status.

Any of the authenticators that are on is enough; those that answer at once are asked first. What takes time (a question
to the API server) delays only its own stream. With no authenticator every client comes in and sees
every resource, but not the other clients (`authorize_call`).

An identity is looked at when a stream opens and never again, as with gRPC and TLS themselves: a stream outlives the
token that opened it, until the maximum connection age ends it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from steerway import telemetry
from steerway.access import pattern
from steerway.access.identity import Identity
from steerway.access.result import (
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    AuthenticationResult,
    Authenticator,
    Credential,
    Refusal,
    unavailable,
)
from steerway.access.rules import Authorization
from steerway.runtime.isolation import isolated

_CLIENTS_HIDDEN = (
    "the status of all clients is not served over TCP without authentication; call over a Unix socket "
    "(listen: unix:/PATH) or POST to /v3/discovery:client_status on the admin server, or turn on authentication and "
    'grant the caller everything (authorization.rules: subscribe ["*"])'
)


class Admission(NamedTuple):
    """An admitted client. `identity` and `grant` are None without authentication."""

    identity: Identity | None = None
    grant: list[str] | None = None


Decision: TypeAlias = Admission | Refusal


class Applicant(NamedTuple):
    """A stream that opened: where from, as which serialised Node, and what its client showed."""

    stream: int
    peer: str
    node: bytes
    credential: Credential


class AdmissionController:
    """Decides on streams; `answer` is called with decisions, at once or later, always on the event loop."""

    def __init__(
        self,
        authenticators: Iterable[Authenticator],
        authorization: Authorization,
        claim: Callable[[bytes], str],
        answer: Callable[[Sequence[tuple[Applicant, Decision]]], None],
    ) -> None:
        """`claim` finds the namespace that a serialised Node claims ("": none)."""
        self._claim = claim
        self._authenticators = tuple(authenticators)
        self._authorization = authorization
        self._answer = answer
        self._waiting: dict[int, asyncio.Task[None]] = {}

    @property
    def waiting(self) -> int:
        """Streams that wait for somebody else's word."""
        return len(self._waiting)

    def open(self, applicants: Iterable[Applicant]) -> None:
        """Decide on streams that opened."""
        decided: list[tuple[Applicant, Decision]] = []
        for applicant in applicants:
            with isolated("client", stream=applicant.stream) as run:
                identity = self._authenticate(applicant.credential)
                if isinstance(identity, Awaitable):
                    stream = applicant.stream
                    self._waiting[stream] = asyncio.create_task(self._decide_later(applicant, identity))
                    self._waiting[stream].add_done_callback(partial(self._forget, stream))
                else:
                    decided.append((applicant, self._decide(applicant, identity)))
            if run.failure:
                decided.append((applicant, unavailable(f"authentication failed: {run.failure}")))
        if decided:
            self._answer(decided)

    def close_streams(self, streams: Iterable[int]) -> None:
        """Streams ended: none of them is decided on from now on."""
        for stream in streams:
            if (task := self._waiting.get(stream)) is not None:
                task.cancel()

    async def authorize_call(self, credential: Credential, *, sees_all: bool) -> Refusal | None:
        """Why a client may not make a call that is no discovery; None when it may.

        `sees_all`: the answer (such as the state of all clients) is not cut to the caller's grant, so that it takes a
        grant of everything, or the Unix socket: the mode of its file admits operators only. While another
        authenticator is on, the socket counts only where it is a credential itself.
        """
        if not self._authenticators:
            if not sees_all or credential.transport == "unix":
                return None
            return Refusal(PERMISSION_DENIED, _CLIENTS_HIDDEN, _CLIENTS_HIDDEN)
        identity = self._authenticate(credential)
        result = await identity if isinstance(identity, Awaitable) else identity
        if result is None or isinstance(result, Refusal):
            return result
        if not sees_all or result.kind == "unix_socket":
            return None
        if pattern.EVERYTHING not in self._authorization.grant(result):
            client_message = (
                f"this shows every service, and {result} may not see all of them "
                "(authorization.rules: subscribe *)"
            )
            return Refusal(PERMISSION_DENIED, client_message, client_message)
        return None

    async def close(self) -> None:
        """Forget the streams that wait."""
        tasks = list(self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, stream: int, _task: asyncio.Task[None]) -> None:
        self._waiting.pop(stream, None)

    async def _decide_later(self, applicant: Applicant, promise: Awaitable[AuthenticationResult]) -> None:
        with isolated("client", stream=applicant.stream) as run:
            decision = self._decide(applicant, await promise)
        if run.failure:  # the client must not wait without end
            decision = self._decide(applicant, unavailable(f"authentication failed: {run.failure}"))
        self._answer([(applicant, decision)])

    def _authenticate(
        self, credential: Credential
    ) -> AuthenticationResult | Awaitable[AuthenticationResult] | None:
        """The authentication result; None without authenticators."""
        if not self._authenticators:
            return None
        refusals: list[Refusal] = []
        able = [authenticator for authenticator in self._authenticators if authenticator.reads(credential)]
        for index, authenticator in enumerate(able):
            result = _run(authenticator, credential)
            if isinstance(result, Identity):
                return result
            if not isinstance(result, Refusal):
                return self._ask(result, able[index + 1 :], credential, refusals)
            refusals.append(result)
        return self._refusal(refusals)

    async def _ask(
        self,
        promise: Awaitable[AuthenticationResult],
        others: Sequence[Authenticator],
        credential: Credential,
        refusals: list[Refusal],
    ) -> AuthenticationResult:
        """The rest of `_authenticate`, from the first authenticator that does not know at once."""
        result = await promise
        for authenticator in others:
            if isinstance(result, Identity):
                break
            refusals.append(result)
            outcome = _run(authenticator, credential)
            result = outcome if isinstance(outcome, Identity | Refusal) else await outcome
        return result if isinstance(result, Identity) else self._refusal([*refusals, result])

    def _refusal(self, refusals: Sequence[Refusal]) -> Refusal:
        """One refusal out of all: an authenticator that was unavailable comes before one that refused."""
        if not refusals:
            kinds = " or ".join(
                dict.fromkeys(authenticator.accepts for authenticator in self._authenticators)
            )
            client_message = f"this server takes {kinds}, and the client showed none"
            return Refusal(UNAUTHENTICATED, client_message, "the client showed no credential")
        first = next((refusal for refusal in refusals if refusal.code == UNAVAILABLE), refusals[0])
        return first._replace(reason="; ".join(dict.fromkeys(refusal.reason for refusal in refusals)))

    def _decide(self, applicant: Applicant, result: AuthenticationResult | None) -> Decision:
        if result is None:
            return Admission()
        decision: Decision
        if isinstance(result, Refusal):
            decision = result
        else:
            denied = self._authorization.refuse_claim(result, self._claim(applicant.node))
            decision = denied or Admission(result, self._authorization.grant(result))
        method = result.kind if isinstance(result, Identity) else "none"
        telemetry.AUTHENTICATIONS.labels(method, _outcome(decision)).inc()
        return decision


def _run(
    authenticator: Authenticator, credential: Credential
) -> AuthenticationResult | Awaitable[AuthenticationResult]:
    with isolated("client", method=authenticator.method) as run:
        return authenticator.authenticate(credential)
    return unavailable(f"authentication failed: {run.failure}")


def _outcome(decision: Decision) -> str:
    if isinstance(decision, Admission):
        return "accepted"
    return {UNAVAILABLE: "unavailable", PERMISSION_DENIED: "denied"}.get(decision.code, "refused")
