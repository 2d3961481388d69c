"""Rules about one struct of a resource of ours that types cannot express.

An API server checks a rule as CEL, `broken_rules` checks it for files. The two forms of a rule are equivalent; a test
on a real API server compares them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from steerway.sources.objects.slim import Slim

POLICY_GROUP = "steerway.io"
POLICY_VERSION = "v1alpha1"


@dataclass(frozen=True, slots=True)
class Rule:
    """`cel` is for the struct as `self`, `accepts` for the struct itself."""

    of: type[Slim]
    cel: str
    message: str

    accepts: Callable[[Any], bool]


def camel(name: str) -> str:
    """The name of a field in manifests."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def broken_rules(
    section: Slim, rules: Iterable[Rule], path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where a struct, or one within it, breaks a rule, and the rule's message. `path` is where the struct stands, in
    the manifest's own words."""
    for rule in rules:
        if isinstance(section, rule.of) and not rule.accepts(section):
            yield path, rule.message
    for field in section.__struct_fields__:
        value = getattr(section, field)
        for index, element in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(element, Slim):
                inner = (*path, camel(field), *(() if index is None else (index,)))
                yield from broken_rules(element, rules, inner)
