"""`steerway check`: one line per object, a hint per failure, and an exit code."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from steerway.translate.xds import raw
from testbed.certificate import Authority

Run = Callable[..., tuple[int, str, str]]

GOOD = """
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: shop}
spec: {ports: [{port: 50051, name: grpc}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: backend-1, namespace: shop, labels: {kubernetes.io/service-name: backend}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1]}]
ports: [{name: grpc, port: 50051}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend, namespace: shop}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Write a file into the working directory of the test."""
    monkeypatch.chdir(tmp_path)

    def write_text(name: str, text: str) -> None:
        Path(name).write_text(textwrap.dedent(text), encoding="utf-8")

    return write_text


def test_good_manifests_pass(steerway: Run, write: Callable[[str, str], None]) -> None:
    """A line per object with its place, totals, exit code 0; what is not read is counted only."""
    write("a.yaml", GOOD)
    assert steerway("check", "a.yaml") == (
        0,
        "✓ a.yaml:2: Service shop/backend\n"
        "✓ a.yaml:7: EndpointSlice shop/backend-1\n"
        "2 good, 0 broken, 1 not read (-v lists them)\n",
        "",
    )


def test_verbose_lists_what_is_not_read(steerway: Run, write: Callable[[str, str], None]) -> None:
    """Other kinds are no failure."""
    write("a.yaml", GOOD)
    code, out, _ = steerway("check", "-v", "a.yaml")
    assert code == 0
    assert "- a.yaml:14: Deployment shop/backend" in out.replace(
        "Deployment backend", "Deployment shop/backend"
    )
    assert out.endswith("2 good, 0 broken, 1 not read\n")


def test_a_failure_has_its_position_and_a_hint_and_the_rest_is_checked(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """Exit code 1; good objects of the same folder pass."""
    write("a.yaml", GOOD)
    write("b.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 0}]}\n")
    code, out, err = steerway("check", ".")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    failed = next(n for n, line in enumerate(lines) if line.startswith("✗ "))
    assert lines[failed].startswith("✗ b.yaml:4: Service default/web: port 0 is out of range")
    assert lines[failed + 1] == "    → use a number from 1 to 65535"
    assert lines[-1].startswith("2 good, 1 broken")


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("a: [1\n", "x.yaml:", ""),
        ("foo: 1\n", "x.yaml:1", "neither a Kubernetes object, nor an xDS resource, nor a mapping"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: x}]}\n",
            "x.yaml:4",
            "number",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 53, protocol: UDP}]}\n",
            "x.yaml:1",
            "none of its ports is TCP",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: ExternalName}\n",
            "x.yaml:4",
            "an ExternalName has no externalName",
        ),
        (
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv4\n",
            "x.yaml:1",
            "no label kubernetes.io/service-name",
        ),
        (
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n"
            "metadata: {name: s, labels: {kubernetes.io/service-name: nope}}\n",
            "x.yaml:1",
            "its Service default/nope is not in these files",
        ),
        (
            '"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster\nname: a\ntyp: EDS\n',
            "x.yaml:1: Cluster a",
            "Cluster has no field typ at Cluster: did you mean type?",
        ),
    ],
    ids=[
        "yaml",
        "unknown",
        "type",
        "udp",
        "external name",
        "unlabelled slice",
        "stray slice",
        "raw resource",
    ],
)
def test_every_kind_of_failure_has_a_hint(
    steerway: Run, write: Callable[[str, str], None], text: str, position: str, reason: str
) -> None:
    """From syntax to what is right in itself and would still not be served."""
    write("x.yaml", text)
    code, out, _ = steerway("check", "x.yaml")
    failure, hint, totals = out.splitlines()
    assert code == 1
    assert failure.startswith(f"✗ {position}")
    assert reason in failure
    assert hint.startswith("    → ")
    assert totals == "0 good, 1 broken"


def test_the_slices_of_a_broken_service_are_not_blamed(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """One mistake is reported once."""
    write("a.yaml", GOOD.replace("port: 50051, name: grpc}]}\n---", "port: 0, name: grpc}]}\n---", 1))
    code, out, _ = steerway("check", "a.yaml")
    assert code == 1
    assert "1 good, 1 broken" in out


def test_a_namespace_for_manifests_without_one_may_be_given(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """As `kubectl -n` does."""
    write("a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1}]}\n")
    assert "Service shop/a" in steerway("check", "--default-namespace", "shop", "a.yaml")[1]


def test_a_missing_path_and_an_empty_directory_are_failures(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """A check without objects must not pass."""
    write("ignored.txt", "")
    code, out, _ = steerway("check", "none.yaml")
    assert code == 1
    assert "cannot be read: No such file" in out
    code, out, err = steerway("check", ".")
    assert (code, out) == (1, "0 good, 0 broken\n")
    assert err.startswith("error: nothing to serve")


def test_settings_are_checked_with_the_files_that_they_name(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """Certificates, keys and tokens are read as at a start; without a PATH the manifests of the settings, too."""
    write("a.yaml", GOOD)
    write("tokens", "0123456789abcdef,shop/web")
    write("good.yaml", "{files: [a.yaml], listen: unix:/run/xds.sock, authentication: {token_file: tokens}}")
    code, out, err = steerway("check", "--config", "good.yaml")
    assert (code, err) == (0, "")
    assert out.startswith("✓ good.yaml: settings\n✓ a.yaml:2: Service shop/backend\n")
    write("tokens", "short,shop/web")
    code, out, _ = steerway("check", "--config", "good.yaml", "a.yaml")
    assert code == 1
    assert "✗ tokens:1: the token is shorter than 16 characters (make one with" in out
    write("bad.yaml", "{threads: x, tls: {certificate: c.pem}}")
    code, out, _ = steerway("check", "--config", "bad.yaml")
    assert code == 1
    assert "✗ bad.yaml:1: threads must be" in out
    assert "✗ bad.yaml:1: tls.certificate needs its private key: set tls.key" in out


def test_a_certificate_without_its_key_is_found_before_the_start(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """With the file that is wrong."""
    certified = Authority().issue("xds.test")
    write("tls.crt", certified.certificate.decode())
    write("tls.key", Authority().issue("xds.test").key.decode())
    write("tokens", "0123456789abcdef,shop/web")
    write("s.yaml", "{tls: {certificate: tls.crt, key: tls.key}, authentication: {token_file: tokens}}")
    code, out, _ = steerway("check", "--config", "s.yaml")
    assert code == 1
    assert "✗ tls.key: " in out
    assert "does not belong to" in out
    write("tls.key", certified.key.decode())
    code, out, _ = steerway("check", "--config", "s.yaml")
    assert (code, out) == (0, "✓ s.yaml: settings\n1 good, 0 broken\n")


def test_settings_that_protect_little_have_a_warning(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """The one that is logged at the start."""
    write("tokens", "0123456789abcdef,shop/web")
    write("open.yaml", "listen: 127.0.0.1:1")
    write("clear.yaml", "{listen: 127.0.0.1:1, authentication: {token_file: tokens}}")
    code, out, _ = steerway("check", "--config", "open.yaml")
    assert (code, out.splitlines()[-1]) == (0, "0 good, 0 broken, 1 with warnings")
    assert "! open.yaml: settings: authentication: every client that can connect sees every service" in out
    code, out, _ = steerway("check", "--config", "clear.yaml")
    assert code == 0
    assert (
        "! clear.yaml: settings: authentication: clients of 127.0.0.1:1 send their tokens without TLS" in out
    )


def test_there_must_be_something_to_check(steerway: Run) -> None:
    """Manifests, or settings."""
    code, _, err = steerway("check")
    assert code == 2
    assert "give a PATH, --config FILE, or --kubernetes" in err


POLICY = """
apiVersion: steerway.io/v1alpha1
kind: TrafficPolicy
metadata: {name: backend, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: backend}]
  timeout: {request: 10s}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: backend, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: backend}]
  rules: [{backendRefs: [{name: backend, port: 50051}]}]
"""


def test_policies_and_routes_are_read(steerway: Run, write: Callable[[str, str], None]) -> None:
    """They count, good as broken."""
    write("a.yaml", GOOD)
    write("b.yaml", POLICY)
    code, out, _ = steerway("check", ".")
    assert code == 0
    policy = "b.yaml:2: TrafficPolicy shop/backend"
    assert f"✓ {policy}\n- {policy}: exact timeouts are not supported by C-core" in out
    assert "✓ b.yaml:9: GRPCRoute shop/backend\n" in out
    assert out.endswith("4 good, 0 broken, 1 not read (-v lists them)\n")
    write("b.yaml", POLICY.replace("timeout: {request: 10s}", "timeouts: {request: 10s}"))
    code, out, _ = steerway("check", ".")
    assert code == 1
    assert "✗ b.yaml:7: TrafficPolicy shop/backend: unknown field 'timeouts': did you mean timeout?" in out
    assert out.endswith("3 good, 1 broken, 1 not read (-v lists them)\n")


ATTACHED = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: a, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: %s}]
  rules: [{backendRefs: [{name: %s, port: 50051}]}]
---
apiVersion: steerway.io/v1alpha1
kind: TrafficPolicy
metadata: {name: p, namespace: shop}
spec: {targetRefs: [{group: "", kind: Service, name: %s}], subset: {min: 3}}
"""


def test_routes_and_policies_that_fit_pass(steerway: Run, write: Callable[[str, str], None]) -> None:
    """They are evaluated as in a cluster."""
    write("a.yaml", GOOD)
    write("b.yaml", ATTACHED % ("backend", "backend", "backend"))
    code, out, _ = steerway("check", ".")
    assert (code, out.count("✓")) == (0, 4), out


def test_only_errors_fail_the_check(steerway: Run, write: Callable[[str, str], None]) -> None:
    """A warning and a note leave the exit code at 0, and each line has its sign."""
    write("a.yaml", GOOD.replace("ports: [{name: grpc, port: 50051}]", "ports: [{name: http, port: 50051}]"))
    code, out, _ = steerway("check", "a.yaml")
    assert code == 0
    assert out.splitlines() == [
        "! a.yaml:2: Service shop/backend: port 50051 (grpc) has no endpoints: slice backend-1 has 1 endpoint for"
        " port http; the Service's port is named grpc: names must be equal",
        "✓ a.yaml:7: EndpointSlice shop/backend-1",
        "1 good, 0 broken, 1 with warnings, 1 not read (-v lists them)",
    ]
    write("a.yaml", GOOD + "---\n" + ATTACHED % ("backend", "nope", "backend"))
    code, out, _ = steerway("check", "a.yaml")
    assert code == 1
    assert out.count("✗") == 1, "the route that answers no request because of the error is reported once"


def test_a_service_that_is_left_out_is_not_good(steerway: Run, write: Callable[[str, str], None]) -> None:
    """By its own annotation, by that of its Namespace, or by a filter of the settings that are checked with it."""
    head = "metadata: {name: backend, namespace: shop"
    write(
        "a.yaml",
        GOOD.replace(f"{head}}}\nspec", f"{head}, annotations: {{steerway.io/enabled: 'no'}}}}\nspec"),
    )
    code, out, err = steerway("check", "a.yaml")
    assert code == 1
    assert err.startswith("error: nothing to serve")
    assert out.splitlines() == [
        "- a.yaml:2: Service shop/backend: it is left out by the annotation steerway.io/enabled of"
        " Service shop/backend",
        "- a.yaml:7: EndpointSlice shop/backend-1: its Service shop/backend is left out by the annotation"
        " steerway.io/enabled of Service shop/backend",
        "0 good, 0 broken, 2 not used, 1 not read (-v lists them)",
    ]
    write(
        "a.yaml",
        GOOD + "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 1}]}\n",
    )
    write("s.yaml", "{files: [a.yaml], upstream_services: [web]}")
    code, out, _ = steerway("check", "--config", "s.yaml")
    assert code == 0
    assert "- a.yaml:2: Service shop/backend: it is not listed in the setting upstream_services\n" in out
    assert "✓ a.yaml:18: Service default/web\n" in out


def test_a_service_without_endpoints_is_reported_with_the_reason(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """A note without EndpointSlices, which a cluster adds; Endpoints, which it mirrors, are a warning."""
    service = GOOD.split("---", maxsplit=1)[0]
    write("a.yaml", service)
    code, out, _ = steerway("check", "a.yaml")
    assert code == 0
    assert out.splitlines() == [
        "✓ a.yaml:2: Service shop/backend",
        "- a.yaml:2: Service shop/backend: it has no endpoints in these files: no EndpointSlice belongs to the Service",
        "1 good, 0 broken",
    ]
    endpoints = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: backend, namespace: shop}\n"
    write("a.yaml", f"{service}---\n{endpoints}")
    code, out, _ = steerway("check", "a.yaml")
    assert code == 0
    assert (
        "! a.yaml:7: Endpoints shop/backend: Endpoints are not read in files, and Service shop/backend has no"
        " endpoints\n    → write an EndpointSlice with the label kubernetes.io/service-name\n"
    ) in out
    write("a.yaml", f"{GOOD}---\n{endpoints}")
    code, out, _ = steerway("check", "a.yaml")
    assert (code, "Endpoints" in out) == (0, False), "its EndpointSlices are there"


def test_what_of_a_route_fails_or_is_limited_is_reported(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """The first is a warning, the second a note."""
    write("a.yaml", GOOD)
    route = ATTACHED.split("---", maxsplit=1)[0] % ("backend", "backend")
    write("b.yaml", route.replace("port: 50051}", "port: 50051, weight: 0}"))
    code, out, _ = steerway("check", ".")
    assert code == 0
    assert "! b.yaml:2: GRPCRoute shop/a: no rule has a backend that is served: all requests fail\n" in out
    write("b.yaml", route.replace("spec:\n", "spec:\n  hostnames: [a.example]\n"))
    code, out, _ = steerway("check", ".")
    assert code == 0
    assert "✓ b.yaml:2: GRPCRoute shop/a\n- b.yaml:2: GRPCRoute shop/a: hostnames are not supported by" in out


def test_empty_strings_of_a_rendered_template_are_absent_fields(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """Namespaces of objects and of references, and protocols."""
    write(
        "a.yaml",
        GOOD.replace("namespace: shop", "namespace: ''").replace("name: grpc", "name: grpc, protocol: ''"),
    )
    refs = "backend, namespace: ''"
    write("b.yaml", (ATTACHED % (refs, refs, "backend")).replace("namespace: shop", "namespace: ''"))
    code, out, _ = steerway("check", "--default-namespace", "own", ".")
    assert (code, out.count("✓")) == (0, 4), out
    assert "✓ a.yaml:2: Service own/backend" in out


def test_a_route_or_policy_with_an_unresolved_reference_is_reported(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """Missing and broken objects are named."""
    write("a.yaml", GOOD)
    write("b.yaml", ATTACHED % ("backend", "web", "db"))
    write(
        "c.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop}\nspec: {ports: 1}\n"
    )
    code, out, _ = steerway("check", ".")
    assert code == 1
    assert "✗ b.yaml:2: GRPCRoute shop/a: rule 0: Service shop/web is not in these files\n    → create" in out
    assert "TrafficPolicy shop/p: Service shop/db is broken\n    → create the target" in out


def test_a_route_of_which_nothing_is_used_is_not_good(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """Its parents are of other controllers, left out by their owner, or no Services at all."""
    head = "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute"
    write(
        "a.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {steerway.io/enabled: 'false'}}\n"
        "spec: {ports: [{port: 80}]}\n"
        + "".join(
            f"---\n{head}\nmetadata: {{name: {name}}}\nspec: {{parentRefs: [{parent}]}}\n"
            for name, parent in (
                ("edge", "{name: ingress}"),
                ("off", "{group: '', kind: Service, name: web}"),
                ("wrong", "{kind: Service, name: web}"),
                ("none", ""),
            )
        ),
    )
    code, output, _ = steerway("check", "a.yaml")
    lines = output.splitlines()
    assert code == 1
    assert lines[1] == "- a.yaml:6: GRPCRoute default/edge: Gateway ingress is for other controllers"
    assert lines[2].startswith(
        "- a.yaml:11: GRPCRoute default/off: Service default/web is left out by the annotation"
    )
    assert lines[3].startswith("✗ a.yaml:16: GRPCRoute default/wrong: parentRefs names Service web of group")
    assert lines[5] == "- a.yaml:21: GRPCRoute default/none: it is attached to nothing"


def test_a_slice_of_another_controller_is_not_read(steerway: Run, write: Callable[[str, str], None]) -> None:
    """And there is no hint to label it; one without an owner has one."""
    template = (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {}, labels: {}}}\n"
        "addressType: IPv4\nendpoints: [{{addresses: [10.0.0.1]}}]\nports: [{{port: 80}}]\n"
    )
    imported = template.format("imported", "{multicluster.kubernetes.io/service-name: web}")
    write(
        "a.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80, name: grpc}]}\n"
        f"---\n{imported}",
    )
    code, output, _ = steerway("check", "a.yaml")
    assert code == 0
    assert output.splitlines()[2] == (
        "- a.yaml:6: EndpointSlice default/imported: not read: another controller's, by its label"
        " multicluster.kubernetes.io/service-name: web"
    )
    write("a.yaml", template.format("stray", "{}"))
    code, output, _ = steerway("check", "a.yaml")
    assert code == 1
    assert "add the label kubernetes.io/service-name" in output


def test_all_problems_of_an_object_are_reported_at_once(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """The faults of one that cannot be read, and what is wrong with one that can; it is one broken object."""
    write(
        "a.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {steerway.io/enbled: 'no'}}\n---\n"
        "apiVersion: v1\nkind: Service\n"
        "metadata: {name: web, annotations: {steerway.io/zones: near, steerway.io/retries: x}}\n"
        "spec: {ports: [{port: 80}]}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\n"
        "spec: {ports: [{port: 0, name: a}, {port: 80, name: a, protocol: XTP}]}\n---\n"
        "apiVersion: steerway.io/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: p}\n"
        "spec: {targetRefs: [{group: '', kind: Service, name: web}], limit: {}, subsets: {}, timeout: {request: 1}}\n",
    )
    code, output, _ = steerway("check", "a.yaml")
    lines = output.splitlines()
    assert code == 1
    assert lines[-1] == "0 good, 4 broken"
    assert "Namespace shop: annotation steerway.io/enbled is none that steerway knows" in lines[0]
    assert sum("Service default/web: annotation" in line for line in lines) == 2
    (bad,) = [line for line in lines if "Service default/bad" in line]
    assert all(
        reason in bad for reason in ("port 0 is out of range", "two ports are named 'a'", "protocol 'XTP'")
    )
    (policy,) = [line for line in lines if "TrafficPolicy" in line]
    assert all(reason in policy for reason in ("'limit'", "'subsets'", "expected a string, got a number"))


def test_a_header_match_without_a_value_is_refused_with_its_position(
    steerway: Run, write: Callable[[str, str], None]
) -> None:
    """GRPCHeaderMatch and HTTPHeaderMatch: `value` has a least length of 1; the line is that of the value."""
    write("a.yaml", GOOD)
    rule = "rules: [{matches: [{headers: [{name: x-user,\n    value: ''}]}], "
    write("b.yaml", POLICY.replace("rules: [{", rule))
    code, out, _ = steerway("check", ".")
    assert code == 1
    assert "✗ b.yaml:15: GRPCRoute shop/backend: the value is empty" in out


PROTOCOLS = """
apiVersion: v1
kind: Service
metadata: {name: custom, namespace: shop}
spec: {ports: [{name: http, port: 80, appProtocol: example.com/custom}]}
---
apiVersion: v1
kind: Service
metadata: {name: wss, namespace: shop}
spec: {ports: [{name: web, port: 80, appProtocol: kubernetes.io/wss}]}
---
apiVersion: v1
kind: Service
metadata: {name: silent, namespace: shop}
spec: {ports: [{name: default, port: 80}]}
"""


def test_a_port_has_a_note_where_envoy_may_surprise(steerway: Run, write: Callable[[str, str], None]) -> None:
    """It is served, and no failure."""
    write("a.yaml", PROTOCOLS)
    code, out, _ = steerway("check", "a.yaml")
    lines = [line for line in out.splitlines() if "it has no endpoints" not in line]
    assert (code, lines) == (
        0,
        [
            "✓ a.yaml:2: Service shop/custom",
            "✓ a.yaml:7: Service shop/wss",
            "- a.yaml:7: Service shop/wss: port 80 (web): Envoys do not connect to it: appProtocol kubernetes.io/wss "
            "states TLS: TLS without a BackendTLSPolicy is not supported by Envoy",
            "✓ a.yaml:12: Service shop/silent",
            "- a.yaml:12: Service shop/silent: port 80 (default): HTTP/2 is assumed for Envoy: name the port http for "
            "HTTP/1.1, or grpc",
            "3 good, 0 broken",
        ],
    )


TLS = """
apiVersion: v1
kind: Service
metadata: {name: secure, namespace: shop}
spec: {selector: {app: secure}, ports: [{name: grpc, port: 50051}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: secure, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: secure, sectionName: grpc}]
  validation: {hostname: secure.example.org, %s}
---
# the next one is for nothing
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: nowhere, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: not-there}]
  validation: {hostname: nowhere.example.org}
"""


def test_a_tls_policy_that_ends_connections_fails(steerway: Run, write: Callable[[str, str], None]) -> None:
    """On the policy and on its Service."""
    write("a.yaml", TLS % 'caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]')
    code, out, _ = steerway("check", "a.yaml")
    fault = "caCertificateRefs names ConfigMap ca, and steerway does not read ConfigMaps"
    remedy = "    → write wellKnownCACertificates: System, if the CA is among those of Envoy's system"
    lines = [line for line in out.splitlines() if "it has no endpoints" not in line]
    assert (code, lines) == (
        1,
        [
            "✗ a.yaml:2: Service shop/secure: port 50051: clients do not connect, and their calls fail: "
            f"BackendTLSPolicy shop/secure cannot be followed: {fault}",
            remedy,
            f"✗ a.yaml:7: BackendTLSPolicy shop/secure: connections to it fail: {fault}",
            remedy,
            f"✗ a.yaml:7: BackendTLSPolicy shop/secure: {fault}",
            remedy,
            "✗ a.yaml:15: BackendTLSPolicy shop/nowhere: Service shop/not-there is not in these files",
            "    → create the target, or fix targetRefs",
            "0 good, 3 broken",
        ],
    )


def test_a_tls_policy_for_envoy_alone_is_a_warning(steerway: Run, write: Callable[[str, str], None]) -> None:
    """And no failure; the totals count it apart."""
    write("a.yaml", TLS % "wellKnownCACertificates: System" + GOOD)
    code, out, _ = steerway("check", "a.yaml")
    assert code == 1, "the other policy"
    assert "\n! a.yaml:2: Service shop/secure: port 50051: gRPC clients do not connect" in f"\n{out}"
    note = "- a.yaml:7: BackendTLSPolicy shop/secure: TLS to backends is not supported by gRPC clients"
    assert f"✓ a.yaml:7: BackendTLSPolicy shop/secure\n{note}" in out
    write("a.yaml", (TLS % "wellKnownCACertificates: System").partition("# the next")[0])
    assert steerway("check", "a.yaml")[0] == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": %s}' % ("9" * 5000), "the number has 5,000 digits"),
        (
            '{"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "\\ud800"}',
            "half of a surrogate",
        ),
        ('{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "\\udfff"}}', "half of a surrogate"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": NaN}', "number NaN is not finite"),
    ],
)
def test_json_that_means_no_value_is_a_finding(
    steerway: Run, write: Callable[[str, str], None], text: str, reason: str
) -> None:
    """With its file and line, and no traceback."""
    write("a.json", text)
    code, out, err = steerway("check", "a.json")
    assert (code, err) == (1, "")
    assert out.startswith("✗ a.json:1: ")
    assert reason in out


def test_what_fails_unexpectedly_is_a_finding_of_its_object(
    steerway: Run, write: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are evaluated."""
    write("a.yaml", GOOD)
    monkeypatch.setattr(raw, "parse", lambda *_: 1 // 0)
    write("x.yaml", "{'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: c}")
    code, out, err = steerway("check", "a.yaml", "x.yaml")
    assert (code, "Traceback" in out + err) == (1, False)
    assert "✓ a.yaml:2: Service shop/backend" in out
    assert "internal error: ZeroDivisionError" in out
    assert ("steerway.runtime.isolation" in out, "steerway.runtime.isolation" in err) == (False, True)
