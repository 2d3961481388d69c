"""The own namespace when no setting names it, by the rules of Kubernetes clients.

In this order: `POD_NAMESPACE` (set through the downward API), the service account that Kubernetes mounts into
the pod, the context of the kubeconfig, `default`. An explicit setting comes before all of these and is the
caller's.
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT = "default"


def detect_namespace(
    environ: Mapping[str, str],
    kubeconfigs: tuple[Path, ...] = (),
    context: str | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> str:
    """The own namespace. Files that are missing or unreadable are passed over: they are reported where they
    matter."""
    if named := environ.get("POD_NAMESPACE", "").strip():
        return named
    try:
        if mounted := (service_account / "namespace").read_text().strip():
            return mounted
    except (OSError, UnicodeDecodeError):
        pass
    return _of_context(kubeconfigs, context) or DEFAULT


def kubeconfig_paths(environ: Mapping[str, str], given: Path | None = None) -> tuple[Path, ...]:
    """The kubeconfig files to merge: the given one, else those of `$KUBECONFIG`, else `~/.kube/config`."""
    if given is not None:
        return (given.expanduser(),)
    if listed := environ.get("KUBECONFIG", ""):
        return tuple(Path(part).expanduser() for part in listed.split(":") if part)
    home = environ.get("HOME")
    return (Path(home) / ".kube" / "config",) if home else ()


def _of_context(kubeconfigs: tuple[Path, ...], context: str | None) -> str | None:
    # Of several files the first that sets a value wins (kubectl: "Merging kubeconfig files").
    namespaces: dict[str, str] = {}
    for path in kubeconfigs:
        try:
            content = yaml.safe_load(path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        if not isinstance(content, dict):
            continue
        context = context or content.get("current-context")
        for entry in content.get("contexts") or []:
            if isinstance(entry, dict) and isinstance(entry.get("context"), dict):
                namespaces.setdefault(str(entry.get("name")), str(entry["context"].get("namespace") or ""))
    return namespaces.get(context or "")
