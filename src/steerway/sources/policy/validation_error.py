"""One thing wrong with an object, in words: where in it, what, and what to do about it.

msgspec stops at the first thing that does not convert; `conversion_error` words it like the checks of `validation`
would have.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from msgspec import inspect

from steerway.sources.policy import structure
from steerway.sources.policy.duration import DURATION

Path = tuple[str | int, ...]
"""Where in an object something stands: `("spec", "ports", 0, "port")`."""

# The forms of msgspec's messages ("Expected `int`, got `str` - at `$.spec.ports[0].port`").
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_WRONG_TYPE = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_ENUM = re.compile(r"Invalid enum value (.+)", re.DOTALL)
_BOUND = re.compile(r"Expected `(?:int|float)` (>=|<=) (\S+)")
_LENGTH = re.compile(r"Expected `(str|array)` of length (>=|<=) (\d+)")
_PATTERN = re.compile(r"Expected `str` matching regex (.+)", re.DOTALL)
_TYPES = {
    "int": "a number",
    "str": "a string",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_HINTS = {
    "int": "write a whole number without quotes",
    "str": "write a string, in quotes if it looks like something else",
    "bool": "write true or false, without quotes",
    "array": "write a list: each item on a line with '-'",
    "object": "write a mapping: key: value",
}
_PARTS = {"str": "characters", "array": "items"}


@dataclass(frozen=True, slots=True)
class ValidationError:
    """One thing wrong with an object: where in it, what, and what to do about it."""

    path: Path
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.reason} at {json_path(self.path)}" if self.path else self.reason


_MOST_NAMED = 8


def listed(names: Iterable[str]) -> str:
    """Many things in one message, each once; an API server bounds what it takes."""
    named = list(dict.fromkeys(name for name in names if name))
    more = [f"and {len(named) - _MOST_NAMED} more"] if len(named) > _MOST_NAMED else []
    return "; ".join([*named[:_MOST_NAMED], *more])


def json_path(path: Path) -> str:
    """`$.spec.ports[0].port`, as `kubectl` and msgspec write it."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def conversion_error(error: msgspec.ValidationError, wanted: type | None = None) -> ValidationError:
    """An error of msgspec, with the path split off and a hint added. `wanted` is the type to convert to, which names
    the allowed values."""
    text, _, where = str(error).partition(" - at `")
    path: Path = tuple(key or int(index) for key, index in _STEP.findall(where))
    if (missing := _MISSING.fullmatch(text)) is not None:
        field = missing[1]
        return ValidationError(path, f"field {field} is missing", f"add {json_path((*path, field))}")
    if (wrong := _WRONG_TYPE.fullmatch(text)) is not None:
        expected, got = (type_name.removesuffix(" | null") for type_name in wrong.groups())
        reason = f"expected {_TYPES.get(expected, expected)}, got {_TYPES.get(got, got)}"
        return ValidationError(path, reason, _HINTS.get(expected, ""))
    if (enum := _ENUM.fullmatch(text)) is not None:
        return ValidationError(path, f"unknown value {enum[1]}", _allowed(path, wanted))
    return ValidationError(path, *(_constraint(text) or (text, "")))


def _allowed(path: Path, wanted: type | None) -> str:
    type_ = structure.at(wanted, path) if wanted is not None else None
    if not isinstance(type_, inspect.LiteralType):
        return ""
    return "write " + " or ".join(str(value) or '""' for value in type_.values)


def _constraint(text: str) -> tuple[str, str] | None:
    """Reason and hint for a value of the right type that is out of bounds."""
    if (bound := _BOUND.fullmatch(text)) is not None:
        side, limit = bound.groups()
        if side == ">=":
            return f"the number is less than {limit}", f"write {limit} or more"
        return f"the number is greater than {limit}", f"write {limit} or less"
    if (length := _LENGTH.fullmatch(text)) is not None:
        kind, side, limit = length.groups()
        what, parts = _TYPES[kind].removeprefix("a "), _PARTS[kind]
        if side == "<=":
            return f"the {what} has more than {limit} {parts}", f"write {limit} {parts} at the most"
        if limit == "1":
            return f"the {what} is empty", f"write at least one of its {parts}"
        return f"the {what} has fewer than {limit} {parts}", f"write {limit} {parts} at least"
    if (matching := _PATTERN.fullmatch(text)) is not None:
        pattern = str(ast.literal_eval(matching[1]))
        if pattern == DURATION:
            return "not a duration", "write hours, minutes, seconds and milliseconds: 1h30m, 10s, 250ms"
        shown = pattern.replace(r"\Z", "$")
        return f"the string does not match {shown}", f"write a string that matches {shown}"
    return None
