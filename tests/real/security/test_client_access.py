"""Client access on a real control plane: certificates, tokens, rules, privacy, rotation, an API server lost."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.status.v3 import csds_pb2 as csds
from google.protobuf.json_format import ParseDict

from steerway.testing.ads_client import AdsClient, DeltaStream
from steerway.testing.fake_token_issuer import FakeTokenIssuer
from steerway.translate.xds.type_url import LISTENER, SECRET
from testbed.api_server import ApiServer
from testbed.backend.backend import Backends
from testbed.certificate import Authority, Certified
from testbed.client.grpc_client import Client
from testbed.manifest import Files, service
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.process.process import Processes, installed
from tests.real.conftest import Steer

AUTHORITY, CLIENTS = Authority(), Authority("clients")
SERVER = AUTHORITY.issue("127.0.0.1", usage="server")
WEB = CLIENTS.issue("spiffe://prod/ns/shop/sa/web", usage="client")
LEDGER_CLIENT = CLIENTS.issue("spiffe://prod/ns/pay/sa/web", usage="client")
TOKEN = "static-token-0123456789abcdef"
ADMIN_TOKEN = "admin-token-0123456789abcdef"
PUBLIC, PRIVATE = "backend.shop", "ledger.pay"

Configure = Callable[[Mapping[str, Any]], Path]


@pytest.fixture(autouse=True)
def services(files: Files) -> None:
    """A public service in shop, and a private one in pay."""
    files.write("backend.yaml", service("backend", {"grpc": 50051}))
    files.write("ledger.yaml", private(True))


def private(value: bool) -> dict[str, Any]:
    made = service("ledger", {"grpc": 50051}, namespace="pay")
    made["metadata"]["annotations"] = {"steerway.io/private": str(value).lower()}
    return made


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The directory of certificates and tokens, mounted as kubelet does it."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    mount(folder, SERVER)
    (folder / "ca.crt").write_bytes(CLIENTS.certificate)
    (folder / "tokens").write_text(f"{TOKEN},shop/web\n")
    (folder / "admin").write_text(ADMIN_TOKEN)
    return folder


def mount(folder: Path, certified: Certified) -> None:
    """Swap the certificate and its key at once (kubernetes/pkg/volume/util/atomic_writer.go)."""
    version = folder / f"..{len(list(folder.iterdir()))}"
    version.mkdir()
    (version / "tls.crt").write_bytes(certified.certificate)
    (version / "tls.key").write_bytes(certified.key)
    (folder / "..tmp").symlink_to(version.name)
    (folder / "..tmp").rename(folder / "..data")
    for name in ("tls.crt", "tls.key"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Writes a settings file."""

    def write(settings: Mapping[str, Any]) -> Path:
        path = tmp_path / "steerway.yaml"
        path.write_text(yaml.safe_dump(dict(settings)))
        return path

    return write


@pytest.fixture
def protect(steer: Steer, configure: Configure, secrets: Path) -> Callable[..., ControlPlane]:
    """Starts steerway with TLS, client certificates and these further settings."""

    def start(**settings: Any) -> ControlPlane:
        tls = {
            "certificate": secrets / "tls.crt",
            "key": secrets / "tls.key",
            "client_ca": secrets / "ca.crt",
        }
        given = {
            "tls": {name: str(path) for name, path in tls.items()},
            "authentication": {"certificate": True, "trust_domains": ["prod"]},
        }
        plane = steer("--config", str(configure(given | settings)))
        until(plane.ready, "ready")
        return plane

    return start


@contextlib.contextmanager
def client(
    plane: ControlPlane,
    certified: Certified | None = None,
    token: str = "",
    namespace: str = "",
    tls: bool = True,
    authority: Authority = AUTHORITY,
) -> Iterator[AdsClient]:
    """A grpcio client with a certificate, a token as call credentials (plaintext: as metadata), or nothing."""
    metadata = {"NAMESPACE": namespace} if namespace else {}
    node = ParseDict({"id": "test", "metadata": metadata}, Node())
    if not tls:
        headers = [("authorization", f"Bearer {token}")] if token else []
        with AdsClient(plane.address, node, metadata=headers) as made:
            yield made
        return
    pair = (certified.key, certified.certificate) if certified else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.certificate, *pair)
    if token:
        call = grpc.access_token_call_credentials(token)
        credentials = grpc.composite_channel_credentials(credentials, call)
    with AdsClient(plane.address, node, credentials=credentials) as made:
        yield made


def seen(asking: AdsClient, *names: str, type_url: str = LISTENER) -> dict[str, bool]:
    """Which of the names the client is given, by delta."""
    stream = asking.delta()
    results: dict[str, bool] = {}
    stream.request(type_url, *names)
    while set(results) != set(names):
        results |= _visible(stream)
    return results


def _visible(stream: DeltaStream) -> dict[str, bool]:
    response = stream.read()
    stream.ack(response)
    received = {resource.name: True for resource in response.resources}
    return received | dict.fromkeys(response.removed_resources, False)


def ended(asking: AdsClient) -> tuple[grpc.StatusCode, str]:
    """The status with which the server ends a stream."""
    stream = asking.sotw()
    stream.request(LISTENER, PUBLIC)
    end = stream.end()
    return end.code, end.details


def test_a_certificate_opens_what_is_public_and_the_own_namespace(
    protect: Callable[..., ControlPlane],
) -> None:
    """The private service of another namespace is absent, as one that does not exist, and counted. Only operators see
    why."""
    plane = protect()
    names = (PUBLIC, PRIVATE, "nothing.shop")
    with client(plane, WEB, namespace="shop") as web, client(plane, LEDGER_CLIENT) as ledger:
        assert seen(web, *names) == {PUBLIC: True, PRIVATE: False, "nothing.shop": False}
        assert plane.metric("steerway_denied_total") > 0
        assert plane.metric("steerway_absent_subscriptions", type="Listener") == 2
        (absent,) = [part["absent"] for stream in plane.streams("lds") for part in stream["types"]]
        assert absent == {
            PRIVATE: "authorization does not permit this client to see it",
            "nothing.shop": "service shop/nothing not found",
        }
        assert seen(ledger, *names) == {PUBLIC: True, PRIVATE: True, "nothing.shop": False}
    assert plane.metric("steerway_authentications_total", method="certificate", outcome="accepted") == 2


def test_a_short_name_is_one_of_the_own_namespace(protect: Callable[..., ControlPlane]) -> None:
    """For a client whose node has no namespace, the identity counts."""
    plane = protect()
    with client(plane, LEDGER_CLIENT) as ledger:
        assert seen(ledger, "ledger", "backend") == {"ledger": True, "backend": False}


def test_no_credential_a_bad_one_and_a_false_claim_end_the_stream(
    protect: Callable[..., ControlPlane],
) -> None:
    """Each with its status; the log has more than the client receives."""
    plane = protect()
    stranger = CLIENTS.issue("spiffe://staging/ns/shop/sa/web", usage="client")
    with (
        client(plane) as anonymous,
        client(plane, stranger) as other,
        client(plane, WEB, namespace="pay") as liar,
    ):
        code, message = ended(anonymous)
        assert (code, message) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "this server takes a client certificate, and the client showed none",
        )
        code, message = ended(other)
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert "staging" not in message
        code, message = ended(liar)
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert "namespace pay" in message
        assert "spiffe://prod/ns/shop/sa/web" in message
    refusals = [line for line in plane.process.errors if "stream_refused" in line]
    assert any("trust domain staging" in line for line in refusals), refusals
    for outcome, number in (("refused", 2), ("denied", 1)):
        assert plane.metric("steerway_authentications_total", outcome=outcome) == number


@pytest.mark.parametrize("tls", [True, False])
def test_a_static_token_opens_as_well(
    tls: bool, protect: Callable[..., ControlPlane], steer: Steer, secrets: Path, configure: Configure
) -> None:
    """As call credentials over TLS, and as plain metadata without; there it is warned of."""
    authentication = {"token_file": str(secrets / "tokens")}
    if tls:
        plane = protect(authentication=authentication)
    else:
        plane = steer("--config", str(configure({"authentication": authentication})))
        until(plane.ready, "ready")
    warned = any("tokens_in_clear_text" in line for line in plane.process.errors)
    assert warned is not tls
    with client(plane, token=TOKEN, namespace="shop", tls=tls) as web:
        assert seen(web, PUBLIC, PRIVATE) == {PUBLIC: True, PRIVATE: False}
    with client(plane, token=f"{TOKEN}x", tls=tls) as bad:
        assert ended(bad)[0] is grpc.StatusCode.UNAUTHENTICATED
    (secrets / "tokens").write_text("another-token-0123456789,shop/web\n")
    until(lambda: _refused(plane, tls), "the end of the old token")


def test_an_identity_has_so_many_connections(protect: Callable[..., ControlPlane]) -> None:
    """By what the certificate proves; another identity has its own."""
    plane = protect(max_connections_per_identity=1)
    with client(plane, WEB) as first, client(plane, WEB) as second, client(plane, LEDGER_CLIENT) as other:
        assert seen(first, PUBLIC) == seen(other, PUBLIC) == {PUBLIC: True}
        code, details = ended(second)
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "connection limit of spiffe://prod/ns/shop/sa/web reached (1, " in details
    assert plane.metric("steerway_refused_total", limit="connections_per_identity") == 1


def _refused(plane: ControlPlane, tls: bool) -> bool:
    with client(plane, token=TOKEN, tls=tls) as old:
        stream = old.delta()
        stream.request(LISTENER, PUBLIC)
        try:
            stream.read()
        except Exception as error:  # noqa: BLE001 - whatever its status
            return "UNAUTHENTICATED" in repr(vars(error))
    return False


def test_rules_limit_what_is_seen_and_claimed(protect: Callable[..., ControlPlane]) -> None:
    """Nothing that no rule gives, public or not."""
    rules = [
        {"identity": {"spiffe_id": "spiffe://prod/ns/*/sa/web"}, "subscribe": ["./*"]},
        {"identity": {"namespace": "shop"}, "subscribe": ["pay/ledger"], "claim": ["pay"]},
    ]
    plane = protect(authorization={"rules": rules})
    with client(plane, WEB, namespace="pay") as web, client(plane, LEDGER_CLIENT) as ledger:
        assert seen(web, PUBLIC, PRIVATE) == {PUBLIC: True, PRIVATE: True}
        assert seen(ledger, PUBLIC, PRIVATE) == {PUBLIC: False, PRIVATE: True}
    with client(plane, LEDGER_CLIENT, namespace="shop") as liar:
        assert ended(liar)[0] is grpc.StatusCode.PERMISSION_DENIED


def test_a_raw_secret_is_for_those_whose_rule_names_it(
    protect: Callable[..., ControlPlane], files: Files
) -> None:
    files.write("secret.yaml", {"@type": SECRET, "name": "edge", "generic_secret": {}})
    rules = [
        {"identity": {"namespace": "shop"}, "subscribe": ["./*", "secret:edge"]},
        {"identity": {"namespace": "pay"}, "subscribe": ["./*", "shop/*", "secret:edges"]},
    ]
    plane = protect(authorization={"rules": rules})
    with client(plane, WEB) as web, client(plane, LEDGER_CLIENT) as ledger:
        assert seen(web, "edge", type_url=SECRET) == {"edge": True}
        assert seen(ledger, "edge", type_url=SECRET) == {"edge": False}


def test_the_status_of_all_clients_needs_a_grant_of_everything(
    protect: Callable[..., ControlPlane],
) -> None:
    """An identity with less is denied, none is unauthenticated, and the answer holds what a real stream got."""
    rules = [
        {"identity": {"namespace": "shop"}, "subscribe": ["*"]},
        {"identity": {"namespace": "pay"}, "subscribe": ["pay/*"]},
    ]
    plane = protect(authorization={"rules": rules})

    def status(asking: AdsClient) -> csds.ClientStatusResponse:
        method = "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus"
        ask = asking.channel.unary_unary(method, response_deserializer=csds.ClientStatusResponse.FromString)
        return ask(b"", timeout=PATIENCE_SECONDS)

    def denied(asking: AdsClient) -> grpc.StatusCode:
        with pytest.raises(grpc.RpcError) as refused:
            status(asking)
        code: grpc.StatusCode = refused.value.code()
        return code

    with client(plane, WEB) as web, client(plane, LEDGER_CLIENT) as ledger, client(plane) as anonymous:
        assert seen(web, PUBLIC) == {PUBLIC: True}
        (config,) = status(web).config
        assert [
            (generic_xds_config.name, generic_xds_config.type_url)
            for generic_xds_config in config.generic_xds_configs
        ] == [(PUBLIC, LISTENER)]
        assert denied(ledger) is grpc.StatusCode.PERMISSION_DENIED
        assert denied(anonymous) is grpc.StatusCode.UNAUTHENTICATED


def test_privacy_takes_effect_on_open_streams(protect: Callable[..., ControlPlane], files: Files) -> None:
    """A service that is opened comes, one that is closed goes, whether by itself or by its Namespace."""
    plane = protect()
    with client(plane, WEB) as web:
        stream = web.delta()
        stream.request(LISTENER, PRIVATE)
        assert _visible(stream) == {PRIVATE: False}
        files.write("ledger.yaml", private(False))
        assert _visible(stream) == {PRIVATE: True}
        files.write("ledger.yaml", private(True))
        assert _visible(stream) == {PRIVATE: False}
        files.write("ledger.yaml", service("ledger", {"grpc": 50051}, namespace="pay"))
        assert _visible(stream) == {PRIVATE: True}
        metadata = {"name": "pay", "annotations": {"steerway.io/private": "true"}}
        files.write("pay.yaml", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        assert _visible(stream) == {PRIVATE: False}


def test_a_swapped_certificate_is_shown_to_new_clients_and_ends_no_stream(
    protect: Callable[..., ControlPlane], secrets: Path, files: Files
) -> None:
    """A pair that does not fit together changes nothing but is a problem that names the file."""
    plane = protect()
    successor = Authority("successor")
    renewed = successor.issue("127.0.0.1", usage="server")
    with client(plane, WEB) as old:
        stream = old.delta()
        stream.request(LISTENER, PUBLIC, "new.shop")
        received: dict[str, bool] = {}
        while len(received) < 2:
            received |= _visible(stream)
        mount(secrets, Certified(renewed.certificate, SERVER.key))
        problem = plane.wait_for_problem("tls.key", "does not belong to")
        assert problem["where"] == str(secrets / "tls.key")
        with client(plane, WEB) as another:
            assert seen(another, PUBLIC) == {PUBLIC: True}
        mount(secrets, renewed)
        plane.wait_for_no_problem()
        with client(plane, WEB, authority=successor) as new:
            assert seen(new, PUBLIC) == {PUBLIC: True}
        files.write("new.yaml", service("new", {"grpc": 50051}))
        assert _visible(stream) == {"new.shop": True}


def test_without_authentication_everything_is_visible_and_a_warning_is_logged(steer: Steer) -> None:
    """The default, for a network that is closed otherwise."""
    plane = steer()
    until(plane.ready, "ready")
    with client(plane, tls=False, namespace="anywhere") as anybody:
        assert seen(anybody, PUBLIC, PRIVATE) == {PUBLIC: True, PRIVATE: True}
    assert any("no_authentication" in line and "warning" in line for line in plane.process.errors)


def test_the_admin_server_asks_for_its_token(protect: Callable[..., ControlPlane], secrets: Path) -> None:
    """Probes go on without it; nothing that was secret stands anywhere in what it answers, nor in the log."""
    plane = protect(
        admin_token_file=str(secrets / "admin"),
        authentication={"certificate": True, "token_file": str(secrets / "tokens")},
        log_level="debug",
    )
    with client(plane, token=TOKEN, namespace="shop") as web:
        assert seen(web, PUBLIC) == {PUBLIC: True}
        with httpx.Client(base_url=plane.admin, trust_env=False) as http:
            paths = ("/metrics", "/api/v1/streams", "/api/v1/resources", "/api/v1/problems", "/nothing")
            for path in paths:
                refused = http.get(path)
                assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
                assert http.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 401
            assert http.get("/healthz").status_code == http.get("/readyz").status_code == 200
            shown = {"authorization": f"Bearer {ADMIN_TOKEN}"}
            received = [http.get(path, headers=shown) for path in paths]
            assert [answer.status_code for answer in received] == [200] * 4 + [404]
    key = SERVER.key.decode().splitlines()[1]
    for text in (*(answer.text for answer in received), *plane.process.errors, *plane.process.lines):
        for secret in (TOKEN, ADMIN_TOKEN, key):
            assert secret not in text


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        (lambda folder: (folder / "tls.key").unlink(), "tls.key: cannot be read"),
        (lambda folder: mount(folder, Certified(SERVER.certificate, b"-----BEGIN")), "tls.key: "),
        (lambda folder: (folder / "ca.crt").write_text("nothing"), "ca.crt: "),
        (lambda folder: (folder / "tokens").write_text("short,ci"), "tokens:1: the token is shorter"),
    ],
)
def test_a_start_with_unusable_files_fails(
    break_it: Callable[[Path], None], named: str, processes: Processes, secrets: Path, files: Files
) -> None:
    """Rather than serve with less protection than was asked for; exit code 2 and the name of the file."""
    break_it(secrets)
    options = {
        "--files": files.directory,
        "--tls-certificate": secrets / "tls.crt",
        "--tls-key": secrets / "tls.key",
        "--tls-client-ca": secrets / "ca.crt",
        "--authentication-token-file": secrets / "tokens",
    }
    addresses = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    flags = [part for flag, path in options.items() for part in (flag, str(path))]
    process = processes.start("steerway serve", [installed("steerway"), "serve", *addresses, *flags])
    assert process.ended(40) == 2, process.complaint("ended otherwise")
    assert named in process.errors[-1], process.complaint("does not name the file")


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path / "kubeconfig")
    yield server
    server.close()


@pytest.mark.parametrize("match_type", ["token_review", "jwks"])
def test_a_service_account_opens_and_an_outage_ends_nothing(
    match_type: str, protect: Callable[..., ControlPlane], api_server: ApiServer
) -> None:
    """Known tokens go on while the API server is away; with reviews new ones get UNAVAILABLE."""
    plane = protect(
        authentication={"service_account": match_type},
        kubernetes={"kubeconfig": str(api_server.kubeconfig)},
    )
    web, other = api_server.issuer.token("shop", "web"), api_server.issuer.token("pay", "web")
    with client(plane, token=web, namespace="shop") as first:
        assert seen(first, PUBLIC, PRIVATE) == {PUBLIC: True, PRIVATE: False}
    with client(plane, token=api_server.issuer.token(audience="elsewhere")) as misled:
        assert ended(misled)[0] is grpc.StatusCode.UNAUTHENTICATED
    api_server.lose()
    with client(plane, token=web, namespace="shop") as again:
        assert seen(again, PUBLIC) == {PUBLIC: True}
    with client(plane, token=other) as new:
        if match_type == "jwks":
            assert seen(new, PRIVATE) == {PRIVATE: True}
        else:
            assert ended(new)[0] is grpc.StatusCode.UNAVAILABLE
            plane.wait_for_problem("tokenreviews", "cannot verify tokens")
    assert any("service account shop/web" in line for line in plane.process.errors)


def test_a_client_of_the_bootstrap_file_shows_its_certificate(
    connect: Callable[..., Client],
    protect: Callable[..., ControlPlane],
    backends: Backends,
    files: Files,
    tmp_path: Path,
) -> None:
    """`steerway bootstrap --creds tls` is all that a gRPC client needs for mutual TLS."""
    (address,) = backends.open(1)
    files.publish([address])
    paths = {"ca": AUTHORITY.certificate, "certificate": WEB.certificate, "key": WEB.key}
    options = ["--creds", "tls"]
    for name, content in paths.items():
        (tmp_path / f"client.{name}").write_bytes(content)
        options += [f"--{name}", str(tmp_path / f"client.{name}")]
    plane = protect()
    channel = connect(plane, *options).dial("xds:///backend")
    assert until(lambda: channel.call()[0].ok, "an answer")
    (stream,) = plane.streams("lds")
    assert stream["audience"].split("/")[2] == "shop"


def test_a_client_of_the_bootstrap_file_shows_its_token(
    connect: Callable[..., Client],
    protect: Callable[..., ControlPlane],
    backends: Backends,
    files: Files,
    tmp_path: Path,
) -> None:
    """gRFC A97: the token of a file, over TLS, verified here by keys of a file."""
    (address,) = backends.open(1)
    files.publish([address])
    issuer = FakeTokenIssuer("RS256")
    (tmp_path / "jwks.json").write_bytes(issuer.jwks())
    (tmp_path / "token").write_text(issuer.token("shop", "web"))
    (tmp_path / "ca").write_bytes(AUTHORITY.certificate)
    jwks = {"service_account": "jwks", "jwks": str(tmp_path / "jwks.json"), "issuer": issuer.url}
    plane = protect(authentication=jwks)
    options = ["--creds", "tls", "--ca", str(tmp_path / "ca"), "--token-file", str(tmp_path / "token")]
    client = connect(plane, *options, GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS="true")
    channel = client.dial("xds:///backend")
    assert until(lambda: channel.call()[0].ok, "an answer")
    assert plane.metric("steerway_authentications_total", method="service_account", outcome="accepted") >= 1


def test_bootstrap_refuses_what_clients_would_ignore() -> None:
    """Tokens and certificates over an insecure channel."""
    command = [installed("steerway"), "bootstrap", "--server", "localhost:1", "--token-file", "/t"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--creds tls" in refused.stderr
