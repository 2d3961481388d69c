"""Admission: one valid credential is enough, slow authenticators block no other client, refusals are terse."""

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from steerway.access.admission import Admission, AdmissionController, Applicant, Decision
from steerway.access.identity import Identity, of_service_account
from steerway.access.local import ClientCertificate, UnixSocket
from steerway.access.result import (
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    AuthenticationResult,
    Authenticator,
    Credential,
    Refusal,
    refused,
    unavailable,
)
from steerway.access.rules import Authorization
from steerway.config import IdentityPattern, RuleSettings
from steerway.peer import Transport

WEB = of_service_account("shop", "web")
SPIFFE = "URI:spiffe://prod/ns/shop/sa/web"


class Tokens:
    """Authenticates tokens from a table; other tokens stay pending until the test sets their result."""

    method = "service_account"
    accepts = "a service-account token"

    def __init__(self, **known: AuthenticationResult) -> None:
        self.known = known
        self.asked: dict[str, asyncio.Future[AuthenticationResult]] = {}

    def reads(self, credential: Credential) -> bool:
        return bool(credential.token)

    def authenticate(self, credential: Credential) -> AuthenticationResult | Awaitable[AuthenticationResult]:
        known = self.known.get(credential.token)
        return known or self.asked.setdefault(credential.token, asyncio.get_running_loop().create_future())


class Answers:
    """Decisions in order of arrival, and by stream."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.by_stream: dict[int, Decision] = {}
        self.changed = asyncio.Event()

    def __call__(self, decisions: Sequence[tuple[Applicant, Decision]]) -> None:
        self.batches.append([applicant.stream for applicant, _ in decisions])
        self.by_stream.update((applicant.stream, decision) for applicant, decision in decisions)
        self.changed.set()


def applicant(
    stream: int = 1,
    token: str = "",
    certificate: Sequence[str] = (),
    transport: Transport = "tls",
    claims: str = "",
) -> Applicant:
    return Applicant(stream, "10.0.0.1:5000", claims.encode(), Credential(token, certificate, transport))


async def decide(authenticators: Sequence[Authenticator], client: Applicant) -> Decision:
    """The decision for one client."""
    answers = Answers()
    admission_controller = AdmissionController(authenticators, Authorization(), bytes.decode, answers)
    admission_controller.open([client])
    await answers.changed.wait()
    return answers.by_stream[client.stream]


async def refusal(authenticators: Sequence[Authenticator], client: Applicant) -> Refusal:
    decision = await decide(authenticators, client)
    assert isinstance(decision, Refusal)
    return decision


async def test_without_authenticators_every_client_is_admitted() -> None:
    """Whatever credential it presents or namespace it claims."""
    assert await decide([], applicant(token="x", claims="pay")) == Admission(None, None)


async def test_a_client_without_credential_receives_the_accepted_kinds() -> None:
    """Each kind is listed once."""
    authenticators = [ClientCertificate(()), UnixSocket(), Tokens(), Tokens()]
    result = await refusal(authenticators, applicant())
    assert result.code == UNAUTHENTICATED
    assert result.client_message == (
        "this server takes a client certificate or the Unix socket or a service-account token,"
        " and the client showed none"
    )


@pytest.mark.parametrize(
    ("client", "identity"),
    [
        (
            applicant(certificate=[SPIFFE]),
            Identity("certificate", "shop", "web", SPIFFE.removeprefix("URI:")),
        ),
        (applicant(token="good"), WEB),
        (applicant(token="good", certificate=["DNS:*"]), Identity("certificate", dns_names=("*",))),
        (applicant(token="good", certificate=["URI:https://x"]), WEB),
        (applicant(token="bad", transport="unix"), Identity("unix_socket")),
        (applicant(token="bad", certificate=[SPIFFE]), Identity("certificate", "shop", "web", SPIFFE[4:])),
    ],
)
async def test_one_valid_credential_is_enough(client: Applicant, identity: Identity) -> None:
    """Also beside an invalid one; a certificate takes precedence as the identity."""
    authenticators = [ClientCertificate(()), UnixSocket(), Tokens(good=WEB, bad=refused("it is bad"))]
    decision = await decide(authenticators, client)
    assert isinstance(decision, Admission)
    assert decision.identity == identity


async def test_a_credential_of_a_disabled_kind_is_ignored() -> None:
    """A certificate is no credential where only tokens are accepted."""
    result = await refusal([Tokens()], applicant(certificate=[SPIFFE], transport="unix"))
    assert result.client_message == "this server takes a service-account token, and the client showed none"


async def test_refusal_reasons_are_logged_but_not_sent() -> None:
    """The log line has the reasons of all authenticators."""
    authenticators = [
        ClientCertificate({"prod"}),
        Tokens(x=refused("unknown to one")),
        Tokens(x=refused("and other")),
    ]
    result = await refusal(authenticators, applicant(token="x", certificate=["DNS:a.example"]))
    assert result.client_message == "the credential is not accepted; see the server's log for the reason"
    for part in ("SPIFFE", "unknown to one", "and other"):
        assert part in result.reason


async def test_an_unavailable_authenticator_takes_precedence_over_a_refusal() -> None:
    """The client should retry: the unavailable authenticator may accept it."""
    result = await refusal([Tokens(x=refused("no")), Tokens(x=unavailable("away"))], applicant(token="x"))
    assert result.code == UNAVAILABLE
    assert result.reason == "no; away"


async def test_a_claim_of_another_namespace_is_denied() -> None:
    """The identity is valid, so the code is PERMISSION_DENIED."""
    result = await refusal([Tokens(good=WEB)], applicant(token="good", claims="pay"))
    assert result.code == PERMISSION_DENIED
    allowed = await decide([Tokens(good=WEB)], applicant(token="good", claims="shop"))
    assert allowed == Admission(WEB, ["", "shop/*"])


async def test_a_slow_authentication_delays_no_other_client() -> None:
    """Known results are sent together and at once, a slow one on arrival."""
    tokens, answers = Tokens(good=WEB), Answers()
    admission_controller = AdmissionController(
        [ClientCertificate(()), tokens], Authorization(), bytes.decode, answers
    )
    admission_controller.open(
        [applicant(1, "slow"), applicant(2, "good"), applicant(3, "slower"), applicant(4)]
    )
    assert answers.batches == [[2, 4]]
    await asyncio.sleep(0)
    assert admission_controller.waiting == 2
    answers.changed.clear()
    tokens.asked["slow"].set_result(WEB)
    await answers.changed.wait()
    assert answers.by_stream[1] == Admission(WEB, ["", "shop/*"])
    assert 3 not in answers.by_stream
    await admission_controller.close()
    assert admission_controller.waiting == 0
    assert 3 not in answers.by_stream


async def test_an_ended_stream_gets_no_decision() -> None:
    """Nothing would release what the decision reserves."""
    tokens, answers = Tokens(), Answers()
    admission_controller = AdmissionController([tokens], Authorization(), bytes.decode, answers)
    admission_controller.open([applicant(1, "a"), applicant(2, "b")])
    await asyncio.sleep(0)
    tokens.asked["a"].set_result(WEB)
    admission_controller.close_streams([1, 7])
    tokens.asked["b"].set_result(WEB)
    await answers.changed.wait()
    assert list(answers.by_stream) == [2]
    await admission_controller.close()
    assert admission_controller.waiting == 0
    assert list(answers.by_stream) == [2]


async def test_later_authenticators_run_after_a_slow_refusal() -> None:
    """In their order, until one accepts."""
    first, second = Tokens(), Tokens(x=WEB)
    answers = Answers()
    admission_controller = AdmissionController([first, second], Authorization(), bytes.decode, answers)
    admission_controller.open([applicant(token="x")])
    first.asked["x"].set_result(refused("no"))
    await answers.changed.wait()
    assert answers.by_stream[1] == Admission(WEB, ["", "shop/*"])


async def test_an_unexpected_error_ends_the_wait_of_the_client() -> None:
    """An internal error is UNAVAILABLE."""
    tokens, answers = Tokens(), Answers()
    admission_controller = AdmissionController([tokens], Authorization(), bytes.decode, answers)
    admission_controller.open([applicant(token="x")])
    tokens.asked["x"].set_exception(RuntimeError("broken"))
    await answers.changed.wait()
    decision = answers.by_stream[1]
    assert isinstance(decision, Refusal)
    assert decision.code == UNAVAILABLE


async def test_a_failing_authenticator_affects_only_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client should retry."""
    broken = Tokens()
    monkeypatch.setattr(broken, "authenticate", lambda _: 1 / 0)
    assert (await refusal([broken], applicant(token="x"))).code == UNAVAILABLE
    decision = await decide([broken, Tokens(x=WEB)], applicant(token="x"))
    assert decision == Admission(WEB, ["", "shop/*"])


async def test_a_call_that_shows_all_requires_a_grant_of_all() -> None:
    """Other calls require a valid credential."""
    admin = of_service_account("admin", "x")
    rules = [RuleSettings(identity=IdentityPattern(namespace="admin"), subscribe=("*",))]
    admission_controller = AdmissionController(
        [Tokens(web=WEB, admin=admin, bad=refused("no"))], Authorization(rules), bytes.decode, Answers()
    )

    async def code(token: str, *, sees_all: bool) -> int | None:
        authorize_call = await admission_controller.authorize_call(Credential(token), sees_all=sees_all)
        return None if authorize_call is None else authorize_call.code

    assert [await code(token, sees_all=True) for token in ("web", "admin", "bad", "")] == [
        PERMISSION_DENIED,
        None,
        UNAUTHENTICATED,
        UNAUTHENTICATED,
    ]
    assert [await code(token, sees_all=False) for token in ("web", "bad")] == [None, UNAUTHENTICATED]


async def test_without_authentication_all_clients_are_shown_to_the_unix_socket_only() -> None:
    """Every pod can reach the TCP port, and node metadata is confidential; the refusal names the alternatives."""
    admission_controller = AdmissionController([], Authorization(), bytes.decode, Answers())
    denied = await admission_controller.authorize_call(Credential(), sees_all=True)
    assert denied is not None
    assert denied.code == PERMISSION_DENIED
    for way in ("listen: unix:/PATH", "/v3/discovery:client_status", "authorization.rules"):
        assert way in denied.client_message
    assert await admission_controller.authorize_call(Credential(transport="unix"), sees_all=True) is None
    assert await admission_controller.authorize_call(Credential(), sees_all=False) is None


async def test_the_unix_socket_shows_all_only_where_it_is_a_credential() -> None:
    """A token over the Unix socket counts as a token."""
    call = Credential("web", transport="unix")
    by_token = AdmissionController([Tokens(web=WEB)], Authorization(), bytes.decode, Answers())
    denied = await by_token.authorize_call(call, sees_all=True)
    assert denied is not None
    assert denied.code == PERMISSION_DENIED
    by_socket = AdmissionController([UnixSocket(), Tokens(web=WEB)], Authorization(), bytes.decode, Answers())
    assert await by_socket.authorize_call(call, sees_all=True) is None


def test_credentials_do_not_print_their_token() -> None:
    """Log lines and tracebacks may contain a credential."""
    assert "secret" not in repr(applicant(token="secret"))
