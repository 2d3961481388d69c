"""The module graph of one Rust crate, read from its sources without a compiler.

An edge goes from the file that names an item to the file that defines it: re-exports (`pub use`) are followed.
Code under `#[cfg(test)]` is left out. Not read: macros that expand to paths.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.structure.graph import Graph, count_by_folder, folder_of

Segments = tuple[str, ...]

_IGNORED = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])'", re.DOTALL)
_TEST = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*")
_MODULE = re.compile(r"\bmod\s+(\w+)\s*;")
_USE = re.compile(r"\b(pub(?:\([\w ]+\))?\s+)?use\s+([^;]+);")
_PATH = re.compile(r"\b(?:crate|super|self)(?:\s*::\s*\w+)+")
_TYPE = re.compile(r"\b(?:struct|enum|union)\s+(\w+)")
_IMPL = re.compile(r"^impl\b([^{;]*)\{", re.MULTILINE)


@dataclass
class _File:
    name: str
    module: Segments
    code: str
    children: set[str] = field(default_factory=set)
    exports: dict[str, Segments] = field(default_factory=dict)
    globs: list[Segments] = field(default_factory=list)
    paths: set[Segments] = field(default_factory=set)


class Crate:
    """The files under `src` and how they depend on one another. Names of files are relative to `src`."""

    def __init__(self, src: Path) -> None:
        self._modules: dict[Segments, _File] = {}
        self._read(src, src / "lib.rs", ())
        for file in self._modules.values():
            self._parse(file)

    def files(self) -> list[str]:
        return sorted(file.name for file in self._modules.values())

    def graph(self) -> Graph:
        """For each file the other files that define what it names."""
        graph: Graph = {}
        for file in self._modules.values():
            targets = (target for path in file.paths for target in self._defining(path))
            graph[file.name] = {target for target in targets if target != file.name}
        return graph

    def folder_graph(self) -> Graph:
        """For each folder the other folders that it depends on. The files beside `lib.rs` are the folder `.`."""
        graph: Graph = {}
        for file, targets in self.graph().items():
            if file != "lib.rs":
                folders = {folder_of(target) for target in targets if target != "lib.rs"}
                graph.setdefault(folder_of(file), set()).update(folders - {folder_of(file)})
        return graph

    def scattered(self) -> dict[str, list[str]]:
        """Types that have an `impl` outside of the file that defines them, with the files of those."""
        defined: dict[str, set[str]] = {}
        for file in self._modules.values():
            for name in _TYPE.findall(file.code):
                defined.setdefault(name, set()).add(file.name)
        result: dict[str, list[str]] = {}
        for file in self._modules.values():
            for name in map(_implemented, _IMPL.findall(file.code)):
                if name in defined and file.name not in defined[name]:
                    result.setdefault(name, []).append(file.name)
        return result

    def _read(self, src: Path, path: Path, module: Segments) -> None:
        code = _without_tests(_IGNORED.sub(" ", path.read_text()))
        file = _File(path.relative_to(src).as_posix(), module, code, set(_MODULE.findall(code)))
        self._modules[module] = file
        folder = src.joinpath(*module)
        for child in file.children:
            beside, below = folder / f"{child}.rs", folder / child / "mod.rs"
            self._read(src, beside if beside.exists() else below, (*module, child))

    def _parse(self, file: _File) -> None:
        for visibility, tree in _USE.findall(file.code):
            for written, name in _expanded(tree):
                path = self._absolute(written, file)
                if path is None:
                    continue
                file.paths.add(path)
                if visibility and path[-1] == "*":
                    file.globs.append(path[:-1])
                elif visibility:
                    file.exports[name] = path
        for written in _PATH.findall(_USE.sub(" ", file.code)):
            path = self._absolute(tuple(re.split(r"\s*::\s*", written)), file)
            if path is not None:
                file.paths.add(path)

    def _absolute(self, path: Segments, file: _File) -> Segments | None:
        """The path from the root of the crate; `None` for one of another crate."""
        module = file.module
        if path[0] == "crate":
            return path[1:]
        if path[0] in file.children:
            return module + path
        if path[0] not in ("super", "self"):
            return None
        while path and path[0] in ("super", "self"):
            module = module[:-1] if path[0] == "super" else module
            path = path[1:]
        return module + path

    def _defining(self, path: Segments) -> Iterator[str]:
        """The files that define what a path names. A glob names all that its module has."""
        if path and path[-1] == "*":
            file = self._modules.get(path[:-1])
            if file is not None:
                yield file.name
                for target in [*file.exports.values(), *((*glob, "*") for glob in file.globs)]:
                    yield from self._defining(target)
            return
        length = max(length for length in range(len(path) + 1) if path[:length] in self._modules)
        file = self._modules[path[:length]]
        if length < len(path) and path[length] in file.exports:
            yield from self._defining(file.exports[path[length]] + path[length + 1 :])
        else:
            yield file.name


def folder_sizes(src: Path) -> dict[str, int]:
    """How many Rust files each folder has, tests included."""
    return count_by_folder(path.relative_to(src).as_posix() for path in src.rglob("*.rs"))


def _without_tests(code: str) -> str:
    """Without items under `#[cfg(test)]`: up to the `;`, or the end of the block."""
    while match := _TEST.search(code):
        end = re.compile(r"[;{]").search(code, match.end())
        stop = len(code) if end is None else end.start() + 1
        depth = int(end is not None and end.group() == "{")
        while depth and stop < len(code):
            depth += {"{": 1, "}": -1}.get(code[stop], 0)
            stop += 1
        code = code[: match.start()] + code[stop:]
    return code


def _expanded(tree: str) -> Iterator[tuple[Segments, str]]:
    """The paths of a `use` with braces, each with the name that it gets."""
    tree = tree.strip()
    if not tree.endswith("}"):
        path, _, alias = tree.partition(" as ")
        segments = tuple(segment.strip() for segment in path.split("::"))
        segments = segments[:-1] if segments[-1] == "self" and len(segments) > 1 else segments
        yield segments, alias.strip() or segments[-1]
        return
    prefix, _, body = tree[:-1].partition("{")
    for part in _parts(body):
        yield from _expanded(prefix + part)


def _parts(body: str) -> Iterator[str]:
    """What commas separate outside of inner braces."""
    depth, part = 0, ""
    for character in f"{body},":
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            if part.strip():
                yield part.strip()
            part = ""
        else:
            part += character


def _implemented(header: str) -> str:
    """The name of the type of an `impl`, from what stands before its block."""
    header = header.partition(" where ")[0]
    depth = 0
    while header.startswith("<"):
        for index, character in enumerate(header):
            depth += {"<": 1, ">": -1}.get(character, 0)
            if depth == 0:
                header = header[index + 1 :]
                break
    subject = re.split(r"\bfor\b(?!\s*<)", header)[-1]
    name = re.search(r"[\w:]+", subject)
    return name.group().split("::")[-1] if name else ""
