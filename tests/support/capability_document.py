"""`make capability-doc`: write the tables of clients in docs/conformance.md from the code."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

from steerway.translate.client.capability import ALWAYS, Feature, Restriction
from steerway.translate.client.library import GRPC, Library

DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"
HEADING = "## What each client supports"
_NEVER = "\N{EN DASH}"
_INTRODUCTION = """
Since which version, as `steerway.translate.client.capability` has it; the status, `check`, `explain` and
[`/api/v1/streams`](admin.md) use the same table. Versions of grpc-js are those of `@grpc/grpc-js-xds`. The last column
is the behaviour of other clients; where it is empty, they get another form of the same.
"""
_RESTRICTIONS = """
Observed restrictions of current releases, apart from those that resources avoid:
"""


def titled(text: str) -> str:
    """A text of the table with the names of its fields instead of values."""
    return "".join(
        before + (f"*{field}*" if field else "") for before, field, _, _ in Formatter().parse(text)
    )


def rows() -> Mapping[Feature, str]:
    """The line of each feature."""
    return {feature: f"| {' | '.join(_cells(feature))} |" for feature in Feature}


def _cells(feature: Feature) -> Iterator[str]:
    capability = feature.value
    yield titled(capability.subject)
    for library in GRPC:
        since = capability.since.get(library)
        yield _NEVER if since is None else "yes" if since == ALWAYS else f"{since[0]}.{since[1]}"
    yield "yes" if capability.envoy else _NEVER
    yield titled(capability.instead)


def restrictions() -> Mapping[Restriction, str]:
    """The line of each restriction that is reported."""
    return {
        restriction: f"- {titled(restriction.value.sentence.format_map(_Named(restriction)))}"
        for restriction in Restriction
        if restriction.value.sentence
    }


class _Named(dict[str, str]):
    """The libraries as `client`, other fields as they are."""

    def __init__(self, restriction: Restriction) -> None:
        super().__init__(client=", ".join(map(str, restriction.value.libraries)))

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def section() -> str:
    """The generated part of the document, from its heading on."""
    head = f"| | {' | '.join(map(str, (*GRPC, Library.ENVOY)))} | otherwise |"
    table = [head, "|---" * (len(GRPC) + 3) + "|", *rows().values()]
    return "\n".join([HEADING, _INTRODUCTION, *table, _RESTRICTIONS, *restrictions().values(), "", ""])


def updated(text: str) -> str:
    """The document with its generated part as it should be."""
    return re.sub(rf"^{HEADING}$.*?(?=^## )", lambda _: section(), text, flags=re.M | re.S)


if __name__ == "__main__":
    DOCUMENT.write_text(updated(DOCUMENT.read_text()))
