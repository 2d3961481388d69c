"""The webhook over HTTPS: what is no AdmissionReview, and that every other request is allowed."""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from steerway import telemetry
from steerway.config import Settings
from steerway.config.section.injection import InjectionSettings
from steerway.control import injection as control
from steerway.control.injection import Injection, injection_options
from steerway.errors import SettingsError
from steerway.injection import mutation, review
from steerway.injection.certificate.source import SecretCertificate
from steerway.testing.json_patch import patched
from testbed.certificate import Authority
from testbed.manifest import Manifest
from testbed.process.deadline import PATIENCE_SECONDS

AUTHORITY = Authority()
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"generateName": "backend-", "creationTimestamp": None},
    "spec": {"containers": [{"name": "server"}]},
}


def admission(**changes: Any) -> Manifest:
    """As the API server sends it."""
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "namespace": "shop",
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": POD,
        "oldObject": None,
        "dryRun": True,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request | changes}


OPTIONS = injection_options(
    Settings(injection=InjectionSettings(listen="127.0.0.1:0", servers=("steerway.mesh-system:18000",)))
)


def answer_to(**changes: Any) -> Manifest:
    """The response to a request."""
    response: Manifest = json.loads(review.respond(json.dumps(admission(**changes)).encode(), OPTIONS))[
        "response"
    ]
    return response


def settings(folder: Path, **injection: Any) -> Settings:
    pair = AUTHORITY.issue("localhost", "127.0.0.1")
    certificate, key = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    return Settings(
        injection=InjectionSettings(
            listen="127.0.0.1:0",
            servers=("steerway.mesh-system:18000",),
            certificate=certificate,
            key=key,
            **injection,
        )
    )


@asynccontextmanager
async def webhook(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    injection = Injection(settings(folder))
    ((label, server),) = injection.servers
    assert label == "injection webhook on https://"
    context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
    try:
        base = f"https://{await server.start()}"
        async with httpx.AsyncClient(base_url=base, verify=context, trust_env=False) as client:
            yield client
    finally:
        await server.stop()


def count(result: str) -> float:
    value: float = telemetry.INJECTIONS.labels(result)._value.get()
    return value


async def test_a_pod_is_patched(tmp_path: Path) -> None:
    """In the form of admission.k8s.io/v1."""
    before = count("injected")
    async with webhook(tmp_path) as client:
        answer = await client.post("/inject?timeout=2s", json=admission())
    assert answer.status_code == 200
    document = answer.json()
    response = document.pop("response")
    assert document == {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    patch = json.loads(base64.b64decode(response.pop("patch")))
    assert response == {"uid": admission()["request"]["uid"], "allowed": True, "patchType": "JSONPatch"}
    result = patched(POD, patch)
    assert result["spec"]["containers"][0]["env"][-1]["name"] == "GRPC_XDS_BOOTSTRAP_CONFIG"
    assert count("injected") == before + 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is no AdmissionReview: "),
        (b"{", "the body is no AdmissionReview: "),
        (b"[1]", "the body is no AdmissionReview: "),
        (b"\xff\xfe", "the body is no AdmissionReview: "),
        (b"[" * 100_000, "the body is no AdmissionReview: "),
        (json.dumps(admission(uid=1)).encode(), "the body is no AdmissionReview: "),
        (json.dumps(admission(object="pod")).encode(), "the body is no AdmissionReview: "),
        (
            json.dumps({**admission(), "apiVersion": "admission.k8s.io/v1beta1"}).encode(),
            "admission.k8s.io/v1beta1 AdmissionReview is not supported: set admissionReviewVersions",
        ),
        (json.dumps({**admission(), "kind": "Pod"}).encode(), "admission.k8s.io/v1 Pod is not supported"),
        (json.dumps({**admission(), "request": None}).encode(), "the AdmissionReview has no request"),
    ],
)
def test_what_is_no_review_is_refused(body: bytes, reason: str) -> None:
    """With the fix, where there is one."""
    with pytest.raises(review.InvalidReviewError) as error:
        review.respond(body, OPTIONS)
    assert str(error.value).startswith(reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "UPDATE"},
        {"subResource": "ephemeralcontainers"},
        {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
        {"object": None},
    ],
)
def test_other_requests_are_allowed_with_a_warning(changes: dict[str, Any]) -> None:
    """The rules of the webhook are wrong, which is no reason to refuse anything."""
    response = answer_to(**changes)
    assert response["allowed"] is True
    assert "patch" not in response
    assert response["warnings"] == [
        "steerway injects pods when they are created: correct the rules of the webhook"
    ]


def test_an_internal_error_lets_the_pod_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unchanged, with a warning and a count."""

    def fail(*_: object) -> mutation.Mutation:
        raise ZeroDivisionError

    monkeypatch.setattr(review, "inject", fail)
    before = count("failed")
    assert answer_to() == {
        "uid": admission()["request"]["uid"],
        "allowed": True,
        "warnings": ["steerway: not injected: internal error; the log of steerway has the cause"],
    }
    assert count("failed") == before + 1


@pytest.mark.parametrize(
    "pod",
    [
        {},
        {"metadata": None, "spec": None},
        {"metadata": {}, "spec": {"containers": None}},
        {"metadata": {"annotations": []}, "spec": {"containers": [{}]}},
        {"metadata": {"labels": 1}, "spec": {"containers": ["x"]}},
        {"metadata": {}, "spec": {"containers": [{"env": [None]}], "volumes": [1]}},
    ],
)
def test_what_is_no_pod_is_allowed(pod: Manifest) -> None:
    """The API server validates it after this webhook."""
    assert answer_to(object=pod)["allowed"] is True


async def test_other_paths_methods_and_sizes_are_refused(tmp_path: Path) -> None:
    """Without a look at the body."""
    async with webhook(tmp_path) as client:
        assert (await client.post("/mutate", json=admission())).status_code == 404
        answer = await client.get("/inject")
        assert answer.status_code == 405
        assert answer.json()["error"] == "Method Not Allowed: POST an AdmissionReview to /inject"
        answer = await client.post("/inject", content=b" " * (4 << 20))
        assert answer.status_code == 400, "the API server ignores it (failurePolicy)"
        assert answer.json()["error"].startswith("the body is no AdmissionReview: ")
        refused = telemetry.HTTP_REFUSED.labels("injection", "body_bytes")
        before = refused._value.get()
        # The connection is closed before the client has sent everything.
        with contextlib.suppress(httpx.TransportError):
            assert (await client.post("/inject", content=b" " * ((4 << 20) + 1))).status_code == 413
        assert refused._value.get() == before + 1


def test_a_large_pod_is_answered() -> None:
    """As large as the API server takes."""
    containers = [{"name": f"c{index}", "args": ["x" * 10_000]} for index in range(90)]
    large = {**POD, "spec": {"containers": containers}}
    patch = json.loads(base64.b64decode(answer_to(object=large)["patch"]))
    assert len(patched(large, patch)["metadata"]["annotations"]) == 1


async def test_certificate_files_are_read_again(tmp_path: Path) -> None:
    """And a problem names the file that cannot be used."""
    injection = Injection(settings(tmp_path))
    (certificate,) = injection.parts
    first = certificate.context()
    pair = Authority().issue("localhost")
    (tmp_path / "tls.key").write_bytes(pair.key)
    await certificate._files.look()
    (problem,) = injection.problems()
    assert problem.where == str(tmp_path / "tls.crt")
    assert problem.reason == "the certificate and the key do not belong together"
    assert certificate.context() is first
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    await certificate._files.look()
    assert injection.problems() == []
    assert certificate.context() is not first


def test_certificate_files_that_cannot_be_used_end_the_start(tmp_path: Path) -> None:
    """With the name of the file."""
    values = settings(tmp_path)
    (tmp_path / "tls.crt").write_text("nothing")
    with pytest.raises(SettingsError, match=r"tls\.crt: the certificate is not readable"):
        Injection(values)


async def test_a_start_waits_a_moment_for_the_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """API servers call a replica as soon as it is ready. Without a Secret it is ready nevertheless."""
    values = Settings(injection=InjectionSettings(listen="127.0.0.1:0", servers=("a:1",)))
    injection = Injection(values)
    waiting = asyncio.create_task(injection.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    (certificate,) = injection.writers
    assert isinstance(certificate, SecretCertificate)
    certificate._follower.taken.set()
    await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    monkeypatch.setattr(control, "_CERTIFICATE_SECONDS", 0.01)
    await asyncio.wait_for(Injection(values).wait(), PATIENCE_SECONDS)


def test_without_an_address_there_is_no_webhook() -> None:
    """Nothing is started, written or reported."""
    injection = Injection(Settings())
    assert (injection.servers, injection.writers, injection.parts, injection.problems()) == ((), [], [], [])


def test_settings_become_options(tmp_path: Path) -> None:
    """Both lists of servers, with the files of TLS where these are mounted."""
    values = settings(
        tmp_path,
        tls_servers=("steerway.mesh-system:18002",),
        ca="ClusterTrustBundle/roots",
        token_audience="mesh",
    )
    options = injection_options(values)
    (plain,), (secure,) = options.servers["insecure"], options.servers["tls"]
    assert plain.document()["channel_creds"] == [{"type": "insecure"}]
    assert secure.document()["channel_creds"][0]["config"] == {"ca_certificate_file": "/etc/steerway/ca.crt"}
    assert secure.document()["call_creds"][0]["config"] == {"jwt_token_file": "/etc/steerway/token"}
    assert options.file_sources("tls") == [
        {"clusterTrustBundle": {"name": "roots", "optional": True, "path": "ca.crt"}},
        {"serviceAccountToken": {"audience": "mesh", "path": "token"}},
    ]
    assert options.file_sources("insecure") == []
