"""Kubeconfig files, as kubectl and steerway read them."""

import json
from collections.abc import Mapping
from pathlib import Path


def write(
    file: Path,
    server: str,
    certificate: Path,
    user: Mapping[str, str],
    namespace: str = "default",
    context: str = "cluster",
    server_name: str = "",
) -> Path:
    """Write a kubeconfig of one context; `user` is `{"token": …}` or `{"tokenFile": …}`. JSON is YAML, too.
    `server_name`: of the certificate, if it is not the host of `server`."""
    cluster = {"server": server, "certificate-authority": str(certificate)}
    if server_name:
        cluster["tls-server-name"] = server_name
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": dict(user)}],
        "contexts": [
            {"name": context, "context": {"cluster": "cluster", "user": "user", "namespace": namespace}}
        ],
        "current-context": context,
    }
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(document, indent=2) + "\n")
    return unfinished.replace(file)
