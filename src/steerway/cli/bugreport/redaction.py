"""Removal of secrets from objects and texts before they are written.

Three ways, each for what the others miss: by the structure of Kubernetes objects, by the form of tokens and keys in any
text, and by the values of the Secrets of the installation wherever they occur.
"""

import copy
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from steerway.admin.api.redaction import REDACTED

Manifest = dict[str, Any]
_MIN_CHARACTERS = 6
"""Of a value of a Secret: shorter ones are words such as `true`."""
_PUBLIC = ("namespace", "username")
"""Keys of Secrets with values that occur everywhere; certificates are public, too."""
_HELM = "helm.sh/"
"""Secrets with the record of a release: what they have is compressed, and occurs nowhere else in this form."""
_SECRET_NAME = re.compile(
    r"token|passw|secret|credential|authorization|private|api_?key|_key$|^key$", re.IGNORECASE
)
_NAME = r"[\w.-]*(?:token|passw(?:or)?d|secret|credential|authorization|api[_-]?key|private[_-]?key)[\w.-]*"
# A path, a name and a choice of a setting are no secrets: `admin_token_file: /etc/…`, `service_account: token_review`.
_FORMS = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        REDACTED,
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), REDACTED),
    (re.compile(r"(://)[^/\s:@]+:[^/\s@]+@"), rf"\1{REDACTED}@"),
    (
        re.compile(
            rf"(\b{_NAME}(?<!_file)[\"']?\s*[:=]\s*[\"']?)(?!/|\[|\{{|\s)([^\s\"',;&\[{{]+)", re.IGNORECASE
        ),
        rf"\1{REDACTED}",
    ),
)
_DROPPED = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Annotations with a copy of the object."""


class Redaction:
    """`secrets`: the Secrets whose values are removed wherever they occur."""

    def __init__(self, secrets: Iterable[Manifest] = ()) -> None:
        values = {value for secret in secrets for value in _values(secret)}
        longest_first = sorted(values, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if values else None

    def text(self, content: str) -> str:
        """A text without secrets."""
        for pattern, replacement in _FORMS:
            content = pattern.sub(replacement, content)
        return self._known.sub(REDACTED, content) if self._known is not None else content

    def manifest(self, manifest: Manifest) -> Manifest:
        """A Kubernetes object: without the values of a Secret, and of variables and arguments that name one."""
        shown = copy.deepcopy(manifest)
        metadata = shown.get("metadata") or {}
        metadata.pop("managedFields", None)
        for name in _DROPPED:
            (metadata.get("annotations") or {}).pop(name, None)
        if shown.get("kind") == "Secret":
            for field in ("data", "stringData"):
                shown[field] = dict.fromkeys(shown.get(field) or {}, REDACTED)
        cleaned: Manifest = self._value(shown)
        return cleaned

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        if _is_variable(value):
            return {**value, "value": REDACTED}
        return {key: self._value(item) for key, item in value.items()}


def _is_variable(value: Mapping[str, Any]) -> bool:
    """An environment variable whose name is that of a secret."""
    name = value.get("name")
    return {"name", "value"} <= value.keys() and isinstance(name, str) and bool(_SECRET_NAME.search(name))


def _values(secret: Manifest) -> Iterable[str]:
    """What may not occur: the values, in base64 as well, and the lines of longer ones."""
    if str(secret.get("type")).startswith(_HELM):
        return
    for key, encoded in (secret.get("data") or {}).items():
        if str(key) in _PUBLIC or str(key).endswith(".crt"):
            continue
        plain = b64decode(encoded).decode(errors="replace")
        lines = [line for line in plain.splitlines() if not line.startswith("-----")]
        yield from (value for value in (encoded, plain.strip(), *lines) if len(value) >= _MIN_CHARACTERS)
