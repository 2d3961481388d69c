"""Server, TLS and credentials of a kubeconfig's entries, and exec plugins."""

import asyncio
import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from steerway.errors import SourceError
from steerway.sources.kubernetes import access
from steerway.sources.kubernetes.access import Access, RequestError, load
from steerway.sources.kubernetes.credential.configuration import Configuration, Tls
from steerway.testing.fake_api_server import FakeApiServer

VERSION = "client.authentication.k8s.io/v1"


def write(folder: Path, user: dict[str, Any], **cluster: Any) -> Access:
    """A kubeconfig in `folder`."""
    path = FakeApiServer().write_kubeconfig(folder / "kubeconfig", user=user)
    document = yaml.safe_load(path.read_text())
    document["clusters"][0]["cluster"] = {"server": "https://api:6443/", **cluster}
    path.write_text(yaml.safe_dump(document))
    return Access.find(path, None)


def plugin(folder: Path, program: str, **section: Any) -> dict[str, Any]:
    """The user of an exec plugin: a script in the folder of the kubeconfig, named by a relative path."""
    script = folder / "plugin"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{program}\n")
    script.chmod(0o755)
    return {"exec": {"apiVersion": VERSION, "command": "./plugin", **section}}


def answer(**status: Any) -> str:
    """A program that prints an ExecCredential."""
    document = {"apiVersion": VERSION, "kind": "ExecCredential", "status": status}
    return f"print({json.dumps(document)!r})"


async def test_the_server_and_its_tls(tmp_path: Path) -> None:
    """Files are relative to the kubeconfig, data is base64, and data is used where both are given."""
    (tmp_path / "ca.pem").write_bytes(b"file")
    (tmp_path / "client.pem").write_bytes(b"certificate")
    user = {
        "client-certificate": "client.pem",
        "client-key": "/missing",
        "client-key-data": base64.b64encode(b"key").decode(),
    }
    cluster = {
        "certificate-authority": "ca.pem",
        "insecure-skip-tls-verify": True,
        "tls-server-name": "api.internal",
        "proxy-url": "http://proxy:3128",
    }
    tls = Tls(b"file", b"certificate", b"key", verify=False, server_name="api.internal")
    expected = Configuration("https://api:6443", tls, proxy="http://proxy:3128")
    assert await load(write(tmp_path, user, **cluster)) == expected


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"token": "t", "username": "u", "password": "p"}, "Bearer t"),
        ({"token": "t", "tokenFile": "token"}, "Bearer from-file"),
        ({"username": "u", "password": "p"}, "Basic dTpw"),
        ({"auth-provider": {"name": "oidc", "config": {"id-token": "i"}}}, "Bearer i"),
        ({}, ""),
    ],
)
async def test_the_order_of_credentials(tmp_path: Path, user: dict[str, Any], expected: str) -> None:
    """As in client-go."""
    (tmp_path / "token").write_text("from-file\n")
    assert (await load(write(tmp_path, user))).authorization == expected


@pytest.mark.parametrize(
    ("user", "cluster", "expected"),
    [
        ({}, {"server": ""}, "cluster fake: it has no server"),
        ({}, {"server": "api:6443"}, "cluster fake: server api:6443 is not a URL of https or http"),
        ({}, {"proxy-url": "socks5://proxy"}, "proxy-url socks5://proxy is not supported"),
        ({}, {"certificate-authority-data": "%"}, "cluster fake: certificate-authority-data is not base64"),
        ({}, {"insecure-skip-tls-verify": "yes"}, "insecure-skip-tls-verify is not true or false"),
        ({"token": 5}, {}, "user tester: token is not a string"),
        ({"as": "admin"}, {}, "user tester: impersonation (as) is not supported"),
        ({"auth-provider": {"name": "gcp"}}, {}, "auth-provider gcp is not supported without an id-token"),
        ({"client-certificate-data": "YQ=="}, {}, "client-certificate and client-key belong together"),
        ({"exec": {"apiVersion": VERSION}}, {}, "user tester: exec has no command"),
        (
            {"exec": {"command": "x", "apiVersion": "v1alpha1"}},
            {},
            "apiVersion v1alpha1 of exec is not supported",
        ),
        (
            {"exec": {"command": "x", "apiVersion": VERSION, "interactiveMode": "Always"}},
            {},
            "steerway has no terminal",
        ),
        ({"exec": {"command": "x", "apiVersion": VERSION, "env": [1]}}, {}, "env of exec is not a list"),
        ({"exec": {"command": "x", "apiVersion": VERSION, "args": "a b"}}, {}, "args of exec are not a list"),
    ],
)
async def test_an_invalid_entry_is_named(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], expected: str
) -> None:
    with pytest.raises(SourceError) as caught:
        await load(write(tmp_path, user, **cluster))
    assert str(caught.value).startswith(f"{tmp_path}/kubeconfig: not a usable kubeconfig: ")
    assert expected in str(caught.value)
    assert not isinstance(caught.value, RequestError)


async def test_a_plugin_receives_the_cluster_and_its_environment(tmp_path: Path) -> None:
    """KUBERNETES_EXEC_INFO, without a terminal; the config of the plugin is an extension of the cluster."""
    program = (
        "info = os.environ['KUBERNETES_EXEC_INFO'] + os.environ['EXTRA'] + sys.argv[1] + sys.stdin.read()\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write(info)\n" + answer(token="t")
    )
    user = plugin(
        tmp_path,
        program,
        args=["argument"],
        env=[{"name": "EXTRA", "value": "more"}],
        provideClusterInfo=True,
    )
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    data = base64.b64encode(b"ca").decode()
    result = await load(
        write(tmp_path, user, **{"certificate-authority-data": data, "extensions": [extension]})
    )
    assert (result.authorization, result.expires_at) == ("Bearer t", None)
    info, separator, rest = (tmp_path / "seen").read_text().partition("moreargument")
    assert (bool(separator), rest) == (True, "")
    assert json.loads(info) == {
        "apiVersion": VERSION,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {
                "server": "https://api:6443/",
                "certificate-authority-data": data,
                "config": {"audience": "x"},
            },
        },
    }


async def test_a_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    """With its expiry; it replaces the certificate of the user."""
    status = {
        "clientCertificateData": "certificate",
        "clientKeyData": "key",
        "expirationTimestamp": "2030-01-01T00:00:00Z",
    }
    result = await load(write(tmp_path, plugin(tmp_path, answer(**status))))
    assert result.tls == Tls(certificate=b"certificate", key=b"key")
    assert (result.authorization, result.expires_at) == ("", 1893456000.0)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("print('{}')", "its output is not an ExecCredential"),
        ("print('no JSON')", "its output is not an ExecCredential"),
        (answer(), "neither token nor clientCertificateData"),
        (answer(token="t", expirationTimestamp="soon"), "its output is not an ExecCredential"),
        (answer(clientCertificateData="c"), "clientCertificateData and clientKeyData belong together"),
        (answer(token="t").replace("k8s.io/v1", "k8s.io/v1beta1"), "k8s.io/v1beta1, asked for"),
        ("sys.exit('log in first')", "plugin: exit code 1: log in first"),
    ],
)
async def test_a_plugin_without_a_credential_is_tried_again(
    tmp_path: Path, program: str, expected: str
) -> None:
    with pytest.raises(RequestError) as caught:
        await load(write(tmp_path, plugin(tmp_path, program)))
    assert caught.value.failure.reason == "credentials refused"
    assert expected in caught.value.failure.message


async def test_a_missing_plugin_is_reported_with_its_install_hint(tmp_path: Path) -> None:
    section = {"apiVersion": VERSION, "command": "no-such-plugin", "installHint": "install it\nfrom here"}
    with pytest.raises(
        RequestError, match=r"no-such-plugin: No such file or directory. install it from here"
    ):
        await load(write(tmp_path, {"exec": section}))


async def test_a_plugin_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit of time for the configuration."""
    monkeypatch.setattr(access, "LOAD_SECONDS", 0.5)
    started = tmp_path / "pid"
    program = f"open({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    loading = asyncio.create_task(load(write(tmp_path, plugin(tmp_path, program))))
    with pytest.raises(RequestError, match="credentials timed out"):
        await loading
    if started.exists() and (pid := started.read_text()):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
