"""The archive: files below one folder, and a manifest of them and of what is missing."""

import io
import json
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from steerway import __version__
from steerway.errors import SettingsError

_MODE = 0o600


class Archive:
    """Written to `path`, which only the user can read. Every file goes through `clean`, which removes secrets."""

    def __init__(self, path: Path, clean: Callable[[str], str]) -> None:
        """Raises SettingsError when the file cannot be written."""
        self.clean = clean
        self._folder = path.name.partition(".")[0]
        self._collected: list[dict[str, Any]] = []
        self.failed: list[dict[str, str]] = []
        self._time = time.time()
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
        except OSError as error:
            raise SettingsError(f"--output {path} cannot be written: {error.strerror}") from None
        self._file = os.fdopen(descriptor, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w:gz")  # noqa: SIM115 - closed at the end of the context

    def add(self, name: str, text: str) -> None:
        """Add a file, without its secrets."""
        content = self.clean(text).encode()
        self._collected.append({"file": name, "bytes": len(content)})
        self._write(name, content)

    def add_json(self, name: str, document: Any) -> None:
        self.add(name, json.dumps(document, indent=1, ensure_ascii=False))

    def fail(self, name: str, reason: str) -> None:
        """Note why a file is missing."""
        self.failed.append({"file": name, "reason": self.clean(reason)})

    @property
    def files(self) -> int:
        return len(self._collected)

    def _write(self, name: str, content: bytes) -> None:
        entry = tarfile.TarInfo(f"{self._folder}/{name}")
        entry.size, entry.mtime, entry.mode = len(content), int(self._time), _MODE
        self._tar.addfile(entry, io.BytesIO(content))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._time))
        manifest = {
            "created": stamp,
            "steerway": __version__,
            "collected": self._collected,
            "failed": self.failed,
        }
        self._write("manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False).encode())
        self._tar.close()
        self._file.close()
