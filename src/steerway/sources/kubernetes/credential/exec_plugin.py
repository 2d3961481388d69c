"""Exec plugins of a kubeconfig: programs that print a credential, such as those of cloud providers.

Spec: Kubernetes, "client-go credential plugins" (client.authentication.k8s.io/v1 and v1beta1). A plugin never gets a
terminal: steerway is a daemon, and also reads its credentials again while it runs.
"""

import asyncio
import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from steerway.sources.kubernetes.credential.kubeconfig import Entry

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_CONFIG_EXTENSION = "client.authentication.k8s.io/exec"


class PluginError(Exception):
    """A plugin that did not give a credential; to be tried again."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A token, a client certificate with its key (PEM), or both. `expires_at`: Unix time; None: until it is refused."""

    token: str
    certificate: bytes
    key: bytes
    expires_at: float | None


async def run(user: Entry, cluster: Entry) -> Credential:
    """Run the plugin of `user`. Raises PluginError, and SourceError when its section is invalid."""
    section = user.section("exec") or {}
    command, version = section.get("command"), section.get("apiVersion")
    if not isinstance(command, str) or not command:
        raise user.invalid("exec has no command")
    if version not in _VERSIONS:
        raise user.invalid(f"apiVersion {version} of exec is not supported: use {' or '.join(_VERSIONS)}")
    if section.get("interactiveMode") == "Always":
        raise user.invalid("exec has interactiveMode Always, and steerway has no terminal: use IfAvailable")
    arguments = section.get("args") or []
    if not isinstance(arguments, list):
        raise user.invalid("args of exec are not a list")
    if os.sep in command:  # client-go: without a separator, $PATH is searched
        command = str(user.folder / command)
    spec: dict[str, Any] = {"interactive": False}
    if section.get("provideClusterInfo"):
        spec["cluster"] = _cluster(cluster)
    request = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    environ = {**os.environ, **_environ(user, section), "KUBERNETES_EXEC_INFO": json.dumps(request)}
    try:
        output = await _output(command, [str(argument) for argument in arguments], environ)
    except OSError as error:
        hint = " ".join(str(section.get("installHint") or "").split())
        raise PluginError(f"{command}: {error.strerror or error}{f'. {hint}' if hint else ''}") from error
    return _credential(command, str(version), output)


async def _output(command: str, arguments: list[str], environ: Mapping[str, str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        command,
        *arguments,
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:  # cancelled, by the limit of time among others
            process.kill()
            await process.wait()
    if process.returncode:
        text = " ".join(errors.decode(errors="replace").split())
        raise PluginError(f"{command}: exit code {process.returncode}{f': {text}' if text else ''}")
    return output


def _credential(command: str, version: str, output: bytes) -> Credential:
    try:
        document = json.loads(output)
        status = document["status"]
        if document["apiVersion"] != version:
            raise PluginError(f"{command}: answered with {document['apiVersion']}, asked for {version}")
        credential = Credential(
            token=str(status.get("token") or ""),
            certificate=str(status.get("clientCertificateData") or "").encode(),
            key=str(status.get("clientKeyData") or "").encode(),
            expires_at=_unix_time(status.get("expirationTimestamp")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PluginError(f"{command}: its output is not an ExecCredential with a status") from error
    if bool(credential.certificate) != bool(credential.key):
        raise PluginError(f"{command}: clientCertificateData and clientKeyData belong together")
    if not credential.token and not credential.certificate:
        raise PluginError(f"{command}: neither token nor clientCertificateData in its output")
    return credential


def _unix_time(text: str | None) -> float | None:
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _environ(user: Entry, section: Mapping[str, Any]) -> dict[str, str]:
    try:
        return {str(item["name"]): str(item["value"]) for item in section.get("env") or ()}
    except (KeyError, TypeError):
        raise user.invalid("env of exec is not a list of name and value") from None


def _cluster(cluster: Entry) -> dict[str, Any]:
    """The cluster as plugins with `provideClusterInfo` receive it."""
    extensions = cluster.fields.get("extensions")
    config = next(
        (
            extension.get("extension")
            for extension in (extensions if isinstance(extensions, list) else ())
            if isinstance(extension, dict) and extension.get("name") == _CONFIG_EXTENSION
        ),
        None,
    )
    authority = base64.b64encode(cluster.content("certificate-authority")).decode()
    info = {
        "server": cluster.text("server"),
        "tls-server-name": cluster.text("tls-server-name"),
        "insecure-skip-tls-verify": cluster.flag("insecure-skip-tls-verify"),
        "certificate-authority-data": authority,
        "proxy-url": cluster.text("proxy-url"),
        "config": config,
    }
    return {key: value for key, value in info.items() if value}
