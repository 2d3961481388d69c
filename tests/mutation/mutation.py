"""Mutations of the product: small faults that a test must detect.

They are chosen by hand, one for each rule that matters. A tool would generate thousands, most of them in
messages and logs, and each needs a run of tests.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LISTS = Path(__file__).parent


class MismatchError(Exception):
    """A text to replace does not exist exactly once: the list must follow the product."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One fault. `tests` are paths for pytest; empty: the tests of the engine's crate, by cargo."""

    area: str
    path: str
    what: str
    before: str
    after: str
    tests: tuple[str, ...]

    @property
    def native(self) -> bool:
        """Whether it is one of Rust code."""
        return self.path.endswith(".rs")

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"

    def mutated(self, root: Path = ROOT) -> str:
        """The text of the file with the fault. MismatchError when the list is out of date."""
        text = (root / self.path).read_text()
        count = text.count(self.before)
        if count != 1:
            raise MismatchError(
                f"{self}: its text is there {count} times, not once: correct {self.area}.toml"
            )
        return text.replace(self.before, self.after)


def mutations(area: str = "") -> Iterator[Mutation]:
    """All of the lists, or of one of them (by its name without `.toml`)."""
    for path in sorted(LISTS.glob("*.toml")):
        if area in ("", path.stem):
            for file in tomllib.loads(path.read_text())["file"]:
                tests = tuple(file.get("tests", ()))
                for entry in file["mutation"]:
                    yield Mutation(
                        path.stem, file["path"], entry["what"], entry["before"], entry["after"], tests
                    )
