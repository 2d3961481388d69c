"""The files of the project that the words lint reads, and the fragments of each."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lint import c_source, document, python_source
from tests.lint.fragment import Fragment, Kind

ROOT = Path(__file__).parents[2]
_LEFT_OUT = frozenset({"target", "build", "dist", "node_modules", "__pycache__"})
"""Folders of what is built, and every folder with a dot before its name."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file. `path` is relative to the root, with `/`."""

    path: str
    text: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix

    def fragments(self) -> Iterator[Fragment]:
        """All fragments of the file, and its name. Raises SyntaxError with the path, when the file is no Python."""
        yield Fragment(Kind.PATH, 1, self.name.partition(".")[0], 1)
        match self.suffix:
            case ".py" | ".pyi":
                try:
                    yield from python_source.fragments(self.text)
                except SyntaxError as error:
                    raise SyntaxError(f"{self.path}: {error}") from error
            case ".md":
                yield from document.prose(self.text)
            case suffix if suffix in c_source.SUFFIXES:
                yield from c_source.fragments(self.text, suffix)
            case _:
                yield from document.hash_comments(self.text)


def sources(root: Path = ROOT) -> Iterator[Source]:
    """The files below a folder in the order of their paths."""
    for directory, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        for name in sorted(filter(_is_read, names)):
            path = Path(directory) / name
            yield Source(path.relative_to(root).as_posix(), path.read_text())


def _is_read(name: str) -> bool:
    suffix = Path(name).suffix
    return (
        suffix in {".py", ".pyi", ".md"} | c_source.SUFFIXES | document.HASH_SUFFIXES
        or name in document.HASH_NAMES
    )
