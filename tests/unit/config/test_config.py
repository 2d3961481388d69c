"""Settings: precedence, the keys of k8s-xds, and errors with their location."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steerway import config
from steerway.config import IdentityPattern, RuleSettings
from steerway.errors import SettingsError

WriteFile = Callable[[str], Path]

FULL = """
listen: 127.0.0.1:7000
plaintext_listen: 127.0.0.1:7001
admin: "[::1]:7001"
rest_listen: 127.0.0.1:2
admin_token_file: /etc/admin.token
tls:
  certificate: /tls/tls.crt
  key: /tls/tls.key
  client_ca: /tls/ca.crt
  require_client_certificate: true
authentication:
  certificate: true
  trust_domains: [prod]
  service_account: jwks
  audiences: [mesh]
  jwks: /etc/jwks.json
  issuer: https://issuer.example
  review_cache_seconds: 1
  timeout_seconds: 2
  token_file: /etc/tokens
  unix_socket: true
  pod_address: all
authorization:
  rules:
  - {identity: {namespace: shop}, subscribe: ["pay/ledger", "./*"], claim: [pay]}
files: [manifests, more/extra.yaml]
files_optional: true
files_sync_timeout_seconds: 30
state_dir: /var/lib/steerway
state_max_age_seconds: 3600
kubernetes:
  enabled: true
  kubeconfig: /etc/kube.yaml
  context: prod
  namespaces: [all]
  client_locality: pod_first
  policies: false
  watch_idle_timeout_seconds: 60
  stale_seconds: 120
  events: false
  status: false
  lease_namespace: ops
  lease_name: steerway-shop
clusters:
- {name: east, kubeconfig: /etc/steerway/east.yaml, context: east, region: eu-east, priority: 2}
topology: node
subset_buckets: 32
cluster_policy: all
remote_stale_seconds: 60
remote_sync_timeout_seconds: 5
upstream_services: [backend, shop/web]
service_selector: team=shop,tier in (a, b)
namespace_selector: "!internal"
default_namespace: shop
cluster_domain: example.internal
identifier: replica-1
max_connections: 50
max_connections_per_address: 0
max_connections_per_identity: 50
max_connections_per_second: 50
max_streams: 50
max_concurrent_streams: 50
max_names_per_stream: 1000
max_name_bytes: 200
max_subscription_bytes_per_stream: 1000
max_subscription_bytes_per_connection: 2000
max_subscription_bytes_per_peer: 3000
max_subscription_bytes: 4000
max_cpu_per_stream: 0.1
max_cpu_per_connection: 0.2
max_cpu_per_peer: 0.3
max_cpu: 0.4
max_node_bytes: 1000
max_request_bytes: 50
max_requests_per_second: 50
request_timeout_seconds: 50
max_connection_age_seconds: 50
max_connection_age_grace_seconds: 50
admin_hosts: ["*.example"]
admin_max_connections: 8
admin_max_event_streams: 4
rest_max_connections: 9
http_request_timeout_seconds: 3
http_idle_timeout_seconds: 4
threads: 2
keepalive_interval_seconds: 60
keepalive_timeout_seconds: 5.5
make_before_break_timeout_seconds: 1
unsubscribe_grace_seconds: 0
drain_seconds: 3
debounce:
  endpoint_quiet_seconds: 0.01
  endpoint_max_seconds: 0.02
  quiet_seconds: 0.03
  max_seconds: 0.04
identity: {trust_domain: example.org, signer_name: example.org/mesh}
signer:
  listen: 0.0.0.0:1
  max_connections: 9
  secret_namespace: a
  secret: a
  ca_secret: a
  lease_name: a
  leaf_seconds: 3600
  intermediate_days: 2
  root_days: 7
  propagation_seconds: 1
xds_servers: {tls_mode: strict, authorization: deny, unsupported: serve}
load_reporting:
  enabled: true
  interval_seconds: 3
injection:
  listen: 0.0.0.0:18443
  servers: [a:18000]
  tls_servers: [a:18002]
  credentials: tls
  ca: ConfigMap/roots
  token_audience: mesh
  method: volume
  certificates: true
  max_connections: 8
  webhook: w
  service: s
  secret: c
  certificate: /i.crt
  key: /i.key
envoy:
  listen: 127.0.0.1:15002
  gateway_listen: 0.0.0.0:80
  system_ca_file: /etc/pki/tls/certs/ca-bundle.crt
journal:
  max_entries: 20
tracing:
  enabled: true
  endpoint: http://c:4318/v1/traces
  sample_ratio: 0.5
log_format: json
log_level: warning
"""


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Write a settings file and return its path."""

    def write_text(text: str) -> Path:
        path = tmp_path / "steerway.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def errors(file: Path | None = None, environ: dict[str, str] | None = None, **flags: Any) -> list[str]:
    """The lines of the error for these settings."""
    with pytest.raises(SettingsError) as caught:
        config.load(file, environ or {}, flags)
    return str(caught.value).splitlines()


def test_nothing_given_gives_every_default() -> None:
    """Without a file, variables and flags; the host name, too."""
    assert config.load(None, {}, {}) == config.Settings(identifier=socket.gethostname())


def test_a_file_may_give_every_setting(write: WriteFile) -> None:
    """Each setting can be written in the file and keeps its type."""
    settings = config.load(write(FULL), {}, {})
    defaults = config.Settings()
    assert settings.files == (Path("manifests"), Path("more/extra.yaml"))
    assert settings.kubernetes.namespaces == ("all",)
    assert settings.keepalive_interval_seconds == 60.0
    differing = [name for name in config.SETTINGS if value_of(settings, name) != value_of(defaults, name)]
    assert differing == list(config.SETTINGS)


def value_of(settings: config.Settings, name: str) -> Any:
    """The value of a setting by its dotted name."""
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def test_environment_overrides_file_and_flag_overrides_both(write: WriteFile) -> None:
    """A value comes from the highest layer that sets it, setting by setting."""
    file = write("{threads: 1, drain_seconds: 1, max_concurrent_streams: 1, debounce: {quiet_seconds: 0.1}}")
    environ = {"STEERWAY_THREADS": "2", "STEERWAY_DRAIN_SECONDS": "2.5", "STEERWAY_DEBOUNCE_MAX_SECONDS": "7"}
    settings = config.load(file, environ, {"threads": "3", "listen": None, "files": ()})
    assert (settings.threads, settings.drain_seconds, settings.max_concurrent_streams) == (3, 2.5, 1)
    assert (settings.debounce.quiet_seconds, settings.debounce.max_seconds) == (0.1, 7.0)


def test_the_environment_gives_every_setting() -> None:
    """Each setting has a variable; lists are separated by commas, booleans are true or false."""
    environ = {
        "STEERWAY_FILES": "a, b",
        "STEERWAY_KUBERNETES_ENABLED": "true",
        "STEERWAY_KUBERNETES_NAMESPACES": "all",
        "STEERWAY_LISTEN": "",
    }
    settings = config.load(None, environ, {})
    assert settings.files == (Path("a"), Path("b"))
    assert settings.kubernetes.enabled
    assert settings.kubernetes.namespaces == ("all",)
    assert settings.listen == config.Settings().listen
    names = [setting.variable for setting in config.SETTINGS.values()]
    assert "STEERWAY_KUBERNETES_CONTEXT" in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("listen: '[::1]:7000'", ("[::1]:7000",)),
        ("listen: unix:/run/a,b.sock", ("unix:/run/a,b.sock",)),
        ("listen: [127.0.0.1:1, 'unix:/run/xds.sock']", ("127.0.0.1:1", "unix:/run/xds.sock")),
    ],
)
def test_a_list_of_one_needs_no_brackets(write: WriteFile, text: str, listen: tuple[str, ...]) -> None:
    """In a file, where a comma is no separator."""
    assert config.load(write(text), {}, {}).listen == listen


def test_the_environment_names_the_file_and_the_argument_overrides_it(write: WriteFile) -> None:
    """STEERWAY_CONFIG, unless --config is given."""
    file = write("identifier: from-file")
    assert config.load(None, {"STEERWAY_CONFIG": str(file)}, {}).identifier == "from-file"
    assert config.load(file, {"STEERWAY_CONFIG": "/nowhere"}, {}).identifier == "from-file"


def test_the_keys_of_k8s_xds_are_accepted(write: WriteFile) -> None:
    """An app.yaml of k8s-xds is read unchanged."""
    settings = config.load(
        write(
            "nodeId: node-1\nmaxConcurrentStreams: 77\nmanagementServer:\n  port: 9000\nupstreamServices:\n"
            "- example-server\n"
        ),
        {},
        {},
    )
    assert settings.identifier == "node-1"
    assert settings.max_concurrent_streams == 77
    assert settings.listen == ("0.0.0.0:9000",)
    assert settings.upstream_services == ("example-server",)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "upstreamServices:\nkubernetes:\nmanagementServer:\nthreads: null\n"]
)
def test_a_key_without_a_value_is_absent(write: WriteFile, text: str) -> None:
    """Empty files and keys without values keep the defaults."""
    assert config.load(write(text), {}, {}) == config.Settings()


def test_off_and_no_are_words(write: WriteFile) -> None:
    """As in YAML 1.2, except for settings that are true or false."""
    text = "topology: off\nkubernetes: {enabled: yes, events: off, namespaces: [no, on]}\n"
    settings = config.load(write(text), {}, {})
    assert settings.topology == "off"
    assert settings.kubernetes.namespaces == ("no", "on")
    assert (settings.kubernetes.enabled, settings.kubernetes.events) == (True, False)


def test_a_value_that_contains_itself_is_an_error(write: WriteFile) -> None:
    """By an alias of YAML."""
    with pytest.raises(SettingsError, match="unconstructable recursive node"):
        config.load(write("files: &a [*a]\n"), {}, {})


def test_both_spellings_of_one_setting_are_an_error(write: WriteFile) -> None:
    """Neither takes precedence silently."""
    file = write("nodeId: a\nlisten: 127.0.0.1:1\nidentifier: b\nmanagementServer: {port: 2}\n")
    assert errors(file) == [
        f"{file}:3: identifier means the same as nodeId (line 1): keep one of them",
        f"{file}:4: managementServer.port means the same as listen (line 2): keep one of them",
    ]


def test_a_key_given_twice_is_an_error(write: WriteFile) -> None:
    """YAML parsers would use the last one."""
    file = write("threads: 1\nthreads: 2\n")
    assert errors(file) == [f"{file}:2: threads is given twice (line 1): keep one of them"]


@pytest.mark.parametrize(
    ("text", "line", "key", "guess"),
    [
        ("listn: x\n", 1, "listn", "listen"),
        ("threads: 1\nclusterDomain: x\n", 2, "clusterDomain", "cluster_domain"),
        ("kubernetes:\n  namespace: [a]\n", 2, "kubernetes.namespace", "kubernetes.namespaces"),
        ("namespaces: [a]\n", 1, "namespaces", "kubernetes.namespaces"),
        ("nodeID: a\n", 1, "nodeID", "nodeId"),
        ("managementServer:\n  prt: 1\n", 2, "managementServer.prt", "managementServer.port"),
    ],
)
def test_an_unknown_key_names_line_and_nearest_name(
    write: WriteFile, text: str, line: int, key: str, guess: str
) -> None:
    """The error suggests the right key, also in another section."""
    file = write(text)
    assert errors(file) == [f"{file}:{line}: unknown key {key}: did you mean {guess}?"]


def test_an_unknown_key_like_no_other_has_no_suggestion(write: WriteFile) -> None:
    """Only similar names are suggested."""
    file = write("xyzzy: 1\n")
    assert errors(file) == [f"{file}:1: unknown key xyzzy"]


def test_an_unknown_variable_names_the_nearest_one() -> None:
    """A mistyped variable is an error; variables of other programs are ignored."""
    assert errors(environ={"STEERWAY_LISTN": "x", "LISTN": "y"}) == [
        "unknown environment variable STEERWAY_LISTN: did you mean STEERWAY_LISTEN?"
    ]


def test_the_variables_of_a_kubernetes_service_called_steerway_are_no_settings() -> None:
    """Kubernetes sets environment variables with the addresses of Services in every pod."""
    environ = {
        "STEERWAY_SERVICE_HOST": "10.0.0.1",
        "STEERWAY_SERVICE_PORT": "18000",
        "STEERWAY_SERVICE_PORT_GRPC_XDS": "18000",
        "STEERWAY_PORT": "tcp://10.0.0.1:18000",
        "STEERWAY_PORT_18000_TCP": "tcp://10.0.0.1:18000",
        "STEERWAY_PORT_18000_TCP_ADDR": "10.0.0.1",
        "STEERWAY_ADMIN_SERVICE_HOST": "10.0.0.2",
        "STEERWAY_ADMIN_PORT_80_TCP_PROTO": "tcp",
    }
    assert config.load(None, environ, {}) == config.Settings()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("listen: 18000", "listen must be a list of HOST:PORT"),
        ("listen: ':18000'", "listen must be a list of HOST:PORT"),
        ("admin: localhost:70000", "admin must be HOST:PORT"),
        ("admin: '::1:1'", "admin must be HOST:PORT"),
        ("listen: []", "listen must be a list of HOST:PORT"),
        ("listen: [127.0.0.1:1, 'unix:xds.sock']", "listen must be a list of HOST:PORT"),
        (f"listen: unix:/{'x' * 107}", "listen must be a list of HOST:PORT"),
        ("files: 7", "files must be a list of files and directories, not 7"),
        ("files: ['']", "files must be a list"),
        ("threads: -1", "threads must be a whole number from 0 to 1024, not -1"),
        ("threads: '1'", "threads must be a whole number"),
        ("threads: 1.5", "threads must be a whole number"),
        ("max_concurrent_streams: 0", "max_concurrent_streams must be a whole number from 1"),
        ("drain_seconds: -1", "drain_seconds must be a number of seconds from 0 to 86400, not -1"),
        ("drain_seconds: .nan", "drain_seconds must be a number"),
        ("drain_seconds: .inf", "drain_seconds must be a number"),
        ("drain_seconds: 10s", "drain_seconds must be a number of seconds from 0 to 86400, not '10s'"),
        ("keepalive_timeout_seconds: 0", "keepalive_timeout_seconds must be a number of seconds above 0"),
        ("identifier: ''", "identifier must be 1 to 255 characters"),
        ("default_namespace: Shop", "default_namespace must be the name of a namespace"),
        ("cluster_domain: .local", "cluster_domain must be a domain"),
        ("log_level: loud", "log_level must be debug, info, warning or error, not 'loud'"),
        ("log_format: xml", "log_format must be text or json, not 'xml'"),
        ("upstream_services: [a/b/c]", "upstream_services must be a list of SERVICE or NAMESPACE/SERVICE"),
        ("kubernetes: true", "kubernetes must be a mapping"),
        ("kubernetes: {enabled: 1}", "kubernetes.enabled must be true or false, not 1"),
        (
            "namespace_selector: a\nkubernetes: {enabled: true, namespaces: [shop]}",
            "namespace_selector requires all namespaces: set kubernetes.namespaces to all",
        ),
        *(
            (f"service_selector: {selector!r}", "service_selector must be a label selector such as team=shop")
            for selector in ("=a", "a in b", "a in ()x", "a b", "a=b,,c", "a!", "!a=b", "a=-", "a,")
        ),
        (
            "kubernetes: {enabled: true, namespaces: [all, shop]}",
            "kubernetes.namespaces must be namespaces, or all",
        ),
        ("managementServer: {port: 65536}", "managementServer.port must be a port"),
        ("managementServer: {port: true}", "managementServer.port must be a port"),
    ],
)
def test_a_wrong_value_names_its_line_and_what_it_must_be(write: WriteFile, text: str, wanted: str) -> None:
    """Types and ranges are checked, and the error names the valid values."""
    file = write(f"# a comment\n{text}\n")
    (line,) = errors(file)
    assert line.startswith(f"{file}:2: {wanted}")


def test_wrong_values_of_variables_and_flags_name_them() -> None:
    """The error names the variable or flag, not the key."""
    flags = {"kubernetes.namespaces": ("Shop",), "kubernetes.enabled": True, "drain_seconds": "soon"}
    with pytest.raises(SettingsError) as caught:
        config.load(None, {"STEERWAY_THREADS": "many"}, flags)
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["STEERWAY_THREADS", "--namespace", "--drain-seconds"]


def test_all_errors_are_reported_together(write: WriteFile) -> None:
    """Including those of overridden values."""
    file = write("threads: x\nlistn: y\n")
    assert len(errors(file, {"STEERWAY_NOPE": "1", "STEERWAY_DRAIN_SECONDS": "x"}, threads="1")) == 4


def test_a_maximum_below_its_quiet_time_is_an_error(write: WriteFile) -> None:
    """Also when one of them is the default."""
    file = write("debounce:\n  quiet_seconds: 2\n")
    (line,) = errors(file)
    assert line.startswith(f"{file}:2: debounce.quiet_seconds leaves debounce.quiet_seconds (2) above")


def test_kubernetes_settings_without_kubernetes_are_an_error(
    write: WriteFile,
) -> None:
    """A context without effect is an error; `enabled: false` is explicit."""
    assert errors(**{"kubernetes.context": "prod"}) == [
        "--context has no effect without Kubernetes: add --kubernetes (kubernetes.enabled)"
    ]
    file = write("kubernetes: {enabled: false, context: prod}")
    assert not config.load(file, {}, {}).kubernetes.enabled


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1\nb: 2\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("a: !!python/object:os.system 1\n", "unknown key a"),
        ("threads: !!python/object:os.system 1\n", "not valid YAML"),
        ("- a\n", "the settings file must be a mapping of keys to values"),
        ("\x00", "not valid YAML"),
    ],
)
def test_an_invalid_file_is_one_error(write: WriteFile, text: str, reason: str) -> None:
    """With its location."""
    file = write(text)
    (line,) = errors(file)
    assert line.startswith(str(file))
    assert reason in line


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Missing files, directories and other encodings."""
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"identifier: \xe9\n")
    assert errors(tmp_path / "none.yaml") == [
        f"{tmp_path}/none.yaml: cannot read the settings file: No such file or directory"
    ]
    assert errors(tmp_path) == [f"{tmp_path}: cannot read the settings file: Is a directory"]
    assert errors(latin) == [f"{latin}: cannot read the settings file: it is not UTF-8 text"]


def test_the_home_directory_is_expanded_in_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell expands it in a YAML file."""
    monkeypatch.setenv("HOME", "/home/sailor")
    settings = config.load(None, {}, {"kubernetes.kubeconfig": "~/k", "kubernetes.enabled": True})
    assert settings.kubernetes.kubeconfig == Path("/home/sailor/k")


def test_every_setting_has_a_title_and_a_description() -> None:
    """The line of help, and the text that completes "must be …". Without a default value, the rule that applies."""
    assert len(config.SETTINGS) > 80
    for name, setting in config.SETTINGS.items():
        assert setting.title, name
        assert setting.description, name
        assert setting.default_value is not None or setting.unset, name


_TLS = {"tls.certificate": "c", "tls.key": "k"}
_BY_ADDRESS = {"kubernetes.enabled": True, "authentication.pod_address": "plaintext"}


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({"tls.certificate": "c"}, "--tls-certificate needs its private key: set tls.key"),
        ({"tls.key": "k"}, "--tls-key needs its certificate: set tls.certificate"),
        (
            {"tls.client_ca": "a"},
            "--tls-client-ca has no effect without TLS: set tls.certificate and tls.key",
        ),
        (
            {**_TLS, "tls.require_client_certificate": True},
            "--tls-require-client-certificate needs CA certificates for client certificates: set tls.client_ca",
        ),
        (
            {
                **_TLS,
                "tls.client_ca": "a",
                "tls.require_client_certificate": True,
                "plaintext_listen": ["127.0.0.1:1"],
            },
            "--plaintext-listen admits clients without the certificate that tls.require_client_certificate requires:"
            " enable authentication",
        ),
        (
            {"listen": ["127.0.0.1:1", "127.0.0.1:2"], "plaintext_listen": ["127.0.0.1:2"]},
            "--plaintext-listen has 127.0.0.1:2, which collides with listen (127.0.0.1:2): give it another port",
        ),
        (
            {"listen": ["127.0.0.1:1", "127.0.0.1:1"]},
            "--listen has 127.0.0.1:1 twice: remove one",
        ),
        (
            {"listen": ["127.0.0.1:1", "0.0.0.0:1"]},
            "--listen has 0.0.0.0:1 and 127.0.0.1:1, which cannot be bound both: remove one",
        ),
        (
            {"admin": "127.0.0.1:18000"},
            "--admin has 127.0.0.1:18000, which collides with listen (0.0.0.0:18000): give it another port",
        ),
        (
            {"listen": ["127.0.0.1:18001"]},
            "--listen has 127.0.0.1:18001, which collides with admin (127.0.0.1:18001): give it another port",
        ),
        (
            {"admin": "[::1]:5", "rest_listen": "[::]:5"},
            "--rest-listen has [::]:5, which collides with admin ([::1]:5): give it another port",
        ),
        (
            {**_TLS, "authentication.certificate": True},
            "--authentication-certificate needs CA certificates for client certificates: set tls.client_ca",
        ),
        (
            {"authentication.trust_domains": ["prod"]},
            "--authentication-trust-domains has no effect without client certificates: set authentication.certificate",
        ),
        (
            {"authentication.audiences": ["a"], "authentication.token_file": "f"},
            "--authentication-audiences has no effect without service account tokens: set"
            " authentication.service_account to token_review or jwks",
        ),
        (
            {"authentication.issuer": "i", "authentication.service_account": "token_review"},
            "--authentication-issuer has no effect without verification by JWKS:"
            " set authentication.service_account to jwks",
        ),
        (
            {"authentication.jwks": "/f", "authentication.service_account": "jwks"},
            "--authentication-jwks needs the issuer of the tokens: set authentication.issuer",
        ),
        (
            {"authorization.rules": "[{identity: {}}]"},
            "--authorization-rules has no effect without authentication: enable one of"
            " authentication.certificate, authentication.token_file, authentication.unix_socket,"
            " authentication.service_account, authentication.pod_address",
        ),
        (
            {"authentication.pod_address": "plaintext"},
            "--authentication-pod-address needs the Pods of an API server: add --kubernetes (kubernetes.enabled)",
        ),
        (
            {**_TLS, **_BY_ADDRESS},
            "--authentication-pod-address has no effect without an address in plaintext: set plaintext_listen, or all"
            " instead",
        ),
        (
            {**_BY_ADDRESS, "authentication.pod_address": "all", "listen": ["unix:/s"]},
            "--authentication-pod-address has no effect on Unix sockets: add HOST:PORT to listen",
        ),
        (
            {
                **_TLS,
                "tls.client_ca": "a",
                "authentication.certificate": True,
                "plaintext_listen": ["127.0.0.1:1"],
            },
            "--plaintext-listen admits no client, because certificates need TLS: set authentication.pod_address to"
            " plaintext, or enable tokens",
        ),
        (
            {"authentication.timeout_seconds": 5, "authentication.token_file": "f"},
            "--authentication-timeout-seconds has no effect without service account tokens: set"
            " authentication.service_account to token_review or jwks, or authentication.pod_address to plaintext or"
            " all",
        ),
    ],
)
def test_access_settings_that_require_each_other(flags: dict[str, Any], wanted: str) -> None:
    """Each error names the key and the fix."""
    assert errors(**flags) == [wanted]


_INJECTION = {"injection.listen": "0.0.0.0:18443", "injection.servers": ["a:1"], "kubernetes.enabled": True}


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (
            {"injection.secret": "x"},
            "--injection-secret has no effect without the injection webhook: set injection.listen",
        ),
        (
            {**_INJECTION, "injection.servers": []},
            "--injection-listen needs the xDS servers that pods connect to: set injection.servers",
        ),
        (
            {**_INJECTION, "injection.credentials": "tls"},
            "--injection-listen needs the xDS servers that pods connect to: set injection.tls_servers",
        ),
        (
            {**_INJECTION, "injection.token_audience": "mesh"},
            "--injection-token-audience has no effect without servers with TLS: set injection.tls_servers",
        ),
        (
            {**_INJECTION, "injection.key": "/key"},
            "--injection-key has no effect alone: set injection.certificate",
        ),
        (
            {**_INJECTION, "kubernetes.enabled": False},
            "--injection-listen needs a certificate: add --kubernetes (kubernetes.enabled) to keep one in a Secret,"
            " or set injection.certificate and injection.key",
        ),
        (
            {**_INJECTION, "injection.ca": "roots"},
            "--injection-ca must be ConfigMap/NAME (in the namespace of the pod) or ClusterTrustBundle/NAME,"
            " not 'roots'",
        ),
    ],
)
def test_injection_settings_that_require_each_other(flags: dict[str, Any], wanted: str) -> None:
    """Each error names the key and the fix."""
    assert errors(**flags) == [wanted]


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (
            {"cluster_policy": "all"},
            "--cluster-policy has no effect without remote clusters: set clusters",
        ),
        (
            {"clusters": "[{name: a}, {name: b}, {name: a}]"},
            "--clusters has the name a twice: give each cluster a unique name",
        ),
    ],
)
def test_settings_of_remote_clusters_that_contradict_each_other(flags: dict[str, Any], wanted: str) -> None:
    """Each error names the key and the fix."""
    assert errors(**flags) == [wanted]


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        (
            "[{name: East}]",
            "'East' is not a DNS label: lower-case letters, digits and -, at cluster [0].name",
        ),
        ("[{kubeconfig: a}]", "missing required field `name`"),
        ("[{name: a, priority: 0}]", ">= 1"),
        ("[{name: a, regoin: x}]", "unknown field `regoin`"),
    ],
)
def test_an_invalid_remote_cluster_is_reported_with_its_location(listed: str, wanted: str) -> None:
    (error,) = errors(clusters=listed)
    assert error.startswith("--clusters must be a list of {name: NAME")
    assert wanted in error


def test_a_kubeconfig_serves_the_verification_of_tokens_alone() -> None:
    """Files may be the only source while the API server verifies tokens."""
    flags = {"authentication.service_account": "token_review", "kubernetes.kubeconfig": "k"}
    assert config.load(None, {}, flags).kubernetes.kubeconfig == Path("k")


RULES = (
    RuleSettings(identity=IdentityPattern(namespace="shop"), subscribe=("./*", "pay/ledger"), claim=("pay",)),
    RuleSettings(identity=IdentityPattern(), subscribe=("*",)),
)
_SHOP = "{identity: {namespace: shop}, subscribe: [./*, pay/ledger], claim: [pay]}"
_ALL = "{identity: {}, subscribe: ['*']}"


def test_rules_can_be_set_in_all_layers(write: WriteFile) -> None:
    """In the environment as a list in YAML; as a flag one rule each."""
    listed, on = f"[{_SHOP}, {_ALL}]", {"authentication.unix_socket": True}
    file = write(f"authentication: {{unix_socket: true}}\nauthorization: {{rules: {listed}}}")
    for settings in (
        config.load(file, {}, {}),
        config.load(None, {"STEERWAY_AUTHORIZATION_RULES": listed}, on),
        config.load(None, {}, {**on, "authorization.rules": (_SHOP, _ALL)}),
    ):
        assert settings.authorization.rules == RULES


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ("[{subscribe: ['*']}]", "missing required field `identity`, at rule [0]"),
        ("[{identity: {namspace: a}}]", "contains unknown field `namspace`, at rule [0].identity"),
        (
            "[{identity: {}, subscribe: [./*, shop]}]",
            "'shop' is not NAMESPACE/SERVICE, NAMESPACE/*, ./SERVICE, ./*, secret:NAME or *, at rule [0].subscribe[1]",
        ),
        ("[{identity: {}}, {identity: {}, subscribe: ['*/b']}]", "'*/b' is not NAMESPACE/SERVICE"),
        ("[{identity: {}, claim: ['pay-*']}]", "'pay-*' is not a namespace or *, at rule [0].claim[0]"),
        ("[{identity: {namespace: ''}}]", "Expected `str` of length >= 1, at rule [0].identity.namespace"),
        ("[{identity: {}, allow: []}]", "contains unknown field `allow`, at rule [0]"),
        ("{identity: {}}", "not {'identity': {}}"),
    ],
)
def test_an_invalid_rule_is_reported(rules: str, wanted: str, write: WriteFile) -> None:
    """With its location in the file and in the list."""
    (error,) = errors(write(f"authentication: {{unix_socket: true}}\nauthorization:\n  rules: {rules}"))
    assert "steerway.yaml:3: authorization.rules must be a list of {identity" in error
    assert wanted in error


@pytest.mark.parametrize(
    "source",
    ["keys.json", "http://issuer.example/keys", "https://", "http://localhost.example/keys", "ftp://x/y", ""],
)
def test_jwks_comes_from_a_path_or_a_secure_url(source: str, write: WriteFile) -> None:
    """Plain http only for the same host."""
    jwks = {"service_account": "jwks", "issuer": "i", "jwks": source}
    (error,) = errors(write(f"authentication: {jwks}"))
    assert "authentication.jwks must be an absolute path, an https URL, or an http URL of this host" in error


def test_addresses_that_can_all_be_bound() -> None:
    """Chosen ports, other hosts, Unix sockets, and families that may share a port."""
    listen = ("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:1", "127.0.0.2:1", "[::1]:1", "unix:/a", "unix:/b")
    settings = config.load(None, {}, {"listen": listen, "admin": "[::]:2", "rest_listen": "0.0.0.0:2"})
    assert settings.listen == listen
