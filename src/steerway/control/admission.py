"""Admission of streams and calls: authenticate, authorize, classify; or reject with a status."""

from collections.abc import Sequence
from typing import Any

import structlog

from steerway.access.admission import Admission, AdmissionController, Applicant, Decision
from steerway.access.authenticators import Authenticators
from steerway.access.identity import Identity
from steerway.access.result import INTERNAL, Credential, Refusal
from steerway.access.rules import Authorization
from steerway.admin.client_count import ClientCount
from steerway.admin.grpc.call_service import WaitingCall
from steerway.control.classifier import Classifier
from steerway.engine.decision import Classification, Identification, Rejection
from steerway.engine.engine import Closed, Engine, Opened
from steerway.inventory.client_index import Admitted, ClientIndex
from steerway.runtime.isolation import isolated
from steerway.translate.client.node import claimed_id, claimed_namespace, client_of

log = structlog.get_logger()

_NODE_MESSAGE = "the Node cannot be handled; the server's log has the reason"


class StreamAdmission:
    """Gives each opened stream its audience and its grant, or ends it."""

    def __init__(
        self,
        authenticators: Authenticators,
        authorization: Authorization,
        classifier: Classifier,
        engine: Engine,
    ) -> None:
        self._classifier = classifier
        self._engine = engine
        self._tokens_belong_to_tls = authenticators.tokens_belong_to_tls
        self._identities: dict[int, Identity] = {}
        self.clients = ClientIndex(classifier.pod, engine.label)
        classifier.follow_pods(self.clients.follow)
        self._count = ClientCount()
        self._controller = AdmissionController(
            authenticators.authenticators, authorization, claimed_namespace, self._apply
        )

    def open(self, opened: list[Opened]) -> None:
        """Start the admission of streams; it ends at once, or later where an authenticator waits for a server."""
        if self._tokens_belong_to_tls:
            _warn_of_tokens(opened)
        self._controller.open(
            Applicant(opening.stream, opening.peer, opening.node, _credential(opening)) for opening in opened
        )

    def close_streams(self, closed: list[Closed]) -> None:
        """Release the state of streams that ended."""
        ids = [ended.stream for ended in closed]
        self._controller.close_streams(ids)
        self.clients.release(ids)
        for ended_stream in closed:
            self._classifier.release(ended_stream.stream)
            self._count.close(ended_stream.stream)
            self._identities.pop(ended_stream.stream, None)
            log.debug("stream_closed", stream=ended_stream.stream)

    def identity(self, stream: int) -> Identity | None:
        """The identity that the client of an admitted stream proved; None without authentication. Thread-safe."""
        return self._identities.get(stream)

    async def authorize_call(self, call: WaitingCall) -> tuple[int, str] | None:
        """The status code and message that refuse a call; None: it is permitted.

        Load reports are open to every authenticated client. The status of all clients needs a grant of everything.
        """
        refusal = await self._controller.authorize_call(
            _credential(call), sees_all=call.method != "StreamLoadStats"
        )
        return None if refusal is None else (refusal.code, refusal.client_message)

    async def close(self) -> None:
        """Cancel the admissions that wait."""
        await self._controller.close()

    def _apply(self, decisions: Sequence[tuple[Applicant, Decision]]) -> None:
        """Pass decisions to the engine."""
        admitted: list[Classification] = []
        refused: list[Rejection] = []
        identified: list[Identification] = []
        opened: list[Admitted] = []
        for client, decision in decisions:
            if isinstance(decision, Refusal):
                refused.append(Rejection(client.stream, decision.code, decision.client_message))
                log.warning(
                    "stream_refused", **_described(client), code=decision.code, reason=decision.reason
                )
                continue
            audience = self._audience(client, decision)
            if audience is None:
                refused.append(Rejection(client.stream, INTERNAL, _NODE_MESSAGE))
                continue
            admitted.append(Classification(client.stream, audience, decision.grant))
            opened.append(Admitted(client.stream, client.peer, client.node, audience))
            fields: dict[str, str] = {}
            if decision.identity is not None:
                fields = {"identity": str(decision.identity), "method": decision.identity.kind}
                self._identities[client.stream] = decision.identity
                identified.append(Identification(client.stream, fields["identity"]))
            self._count.open(client.stream, client_of(client.node))
            log.info("stream_opened", **_described(client), audience=audience, **fields)
        # Connections count for identities before the first request is answered.
        self._engine.identify(identified)
        self._engine.classify(admitted)
        self.clients.admit(opened)
        self._engine.reject(refused)

    def _audience(self, client: Applicant, admission: Admission) -> str | None:
        """None: classification failed."""
        with isolated("client", stream=client.stream, peer=client.peer):
            return self._classifier.audience(client, admission.identity)
        return None


def _warn_of_tokens(opened: list[Opened]) -> None:
    """Log the clients whose token can be read on the network."""
    for opening in opened:
        if opening.token and opening.transport == "plaintext":
            log.warning(
                "token_without_tls",
                peer=opening.peer,
                node=claimed_id(opening.node),
                hint="use an address of the setting listen, with TLS, and replace the token",
            )


def _described(client: Applicant) -> dict[str, Any]:
    """A stream and its client, for a log line."""
    return {
        "stream": client.stream,
        "peer": client.peer,
        "node": claimed_id(client.node),
        "client": str(client_of(client.node)),
    }


def _credential(client: Opened | WaitingCall) -> Credential:
    return Credential(client.token, client.certificate, client.transport, client.peer)
