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
) -> Path:
    """Write a kubeconfig of one context; `user` is `{"token": …}` or `{"tokenFile": …}`. JSON is YAML, too."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "cluster", "cluster": {"server": server, "certificate-authority": str(certificate)}}
        ],
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
