"""Runs of mutated inputs against the system, for a number of inputs or for a time."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fuzz import seeds
from tests.fuzz.mutation import Mutator
from tests.fuzz.system import InputError, System

_LIVES = 200
"""Inputs that one system takes before a new one is made."""

More = Callable[[int], bool]
"""Whether another input is to be run after so many."""


def inputs(number: int) -> More:
    """A number of inputs."""
    return lambda done: done < number


def seconds(number: float) -> More:
    """A time."""
    end = time.monotonic() + number
    return lambda _: time.monotonic() < end


def run(target: str, seed: int, more: More, directory: Path, path: Path) -> int:
    """Run mutated inputs of a target: `files` or `objects`. Returns how many. InputError for the first that fails,
    which is written to the directory `path`."""
    drawn = TARGETS[target](random.Random(seed))
    done, base = 0, seeds.base()
    while more(done):
        with System(directory, base) as system:
            for name, content in itertools.islice(drawn, _LIVES):
                try:
                    replay(system, target, name, content)
                except InputError:
                    path.mkdir(parents=True, exist_ok=True)
                    (path / name).write_bytes(content)
                    raise
                done += 1
                if not more(done):
                    break
    return done


def replay(system: System, target: str, name: str, content: bytes) -> None:
    """Run one input of the corpus. InputError when it fails."""
    if target == "files":
        system.files({_plain(name): content})
        return
    kind = name.partition("-")[0]
    page, *lines = content.split(b"\n")
    system.objects(kind, page, lines)
    system.reset()


def _plain(name: str) -> str:
    """The name of a file without its number in the corpus."""
    return name.partition("--")[2] or name


def _files(drawn: random.Random) -> Iterator[tuple[str, bytes]]:
    files = seeds.files()
    values = [seed.value for seed in files if seed.value is not None]
    mutator = Mutator(drawn, values, seeds.annotations())
    while True:
        seed = drawn.choice(files)
        content, name = seed.content, seed.name
        if seed.value is not None and drawn.random() < 0.8:
            as_json = drawn.random() < 0.5
            documents = mutator.value(seed.value)
            name = f"{Path(name).stem}.{'json' if as_json else 'yaml'}"
            if as_json:
                content = mutator.text(documents, as_json=True)
            else:
                content = b"\n---\n".join(
                    mutator.text(document, as_json=False)
                    for document in (documents if isinstance(documents, list) else [documents])
                )
        if drawn.random() < 0.25:
            content = mutator.data(content)
        yield name, content


def _objects(drawn: random.Random) -> Iterator[tuple[str, bytes]]:
    manifests, base = seeds.manifests(), seeds.base()
    mutator = Mutator(drawn, manifests, seeds.annotations())
    by_kind: dict[str, list[Any]] = {}
    for item in manifests:
        by_kind.setdefault(str(item.get("kind")), []).append(item)
    while True:
        kind = drawn.choice(KINDS)
        mine = by_kind[kind]
        page = {"metadata": {"resourceVersion": "1"}, "items": [*base[kind], *mine][: drawn.randrange(6)]}
        if drawn.random() < 0.7:
            page = mutator.value(page)
        lines = [_line(mutator, drawn, mine) for _ in range(drawn.randrange(1, 4))]
        texts = [mutator.text(page, as_json=True), *lines]
        if drawn.random() < 0.2:
            number = drawn.randrange(len(texts))
            texts[number] = mutator.data(texts[number])
        yield f"{kind}-{drawn.randrange(10**6)}.json", b"\n".join(text.replace(b"\n", b" ") for text in texts)


def _line(mutator: Mutator, drawn: random.Random, mine: list[Any]) -> bytes:
    event = {
        "type": drawn.choice(["ADDED", "MODIFIED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
        "object": drawn.choice(mine),
    }
    return mutator.text(mutator.value(event), as_json=True)


KINDS = (
    *("Namespace", "Service", "EndpointSlice", "Pod", "Node", "GRPCRoute", "HTTPRoute", "ReferenceGrant"),
    *("BackendTLSPolicy", "TrafficPolicy"),
)
TARGETS: dict[str, Callable[[random.Random], Iterator[tuple[str, bytes]]]] = {
    "files": _files,
    "objects": _objects,
}
