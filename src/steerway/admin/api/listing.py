"""Lists of the API: filters, pages and fields.

A list is of rows of one msgspec type with an `id`, in the order of `order(id)`. The token of the next page is the id of
the last row of a page, so that rows which come and go between two pages are neither repeated nor left out.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from starlette.datastructures import QueryParams

from steerway.admin.api.request_error import RequestError
from steerway.admin.api.route.operation import Parameter, choice, text

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
OBJECT_PATTERN = r"^[^/]+/[^/]+$"
"""`NAMESPACE/NAME`."""
OBJECTS = frozenset({"service", "workload"})
"""Filters with such a value."""
_OBJECT = re.compile(OBJECT_PATTERN)
_MAX_TOKEN = 20
"""Characters: ids of streams have 64 bits."""
_NUMBER = re.compile(r"[0-9]{1,4}")


class Row(Protocol):
    """An item of a list."""

    @property
    def id(self) -> str: ...


_R = TypeVar("_R", bound=Row | str)


class Page(msgspec.Struct, frozen=True):
    """Fields of the response besides `items`. `total` counts the rows after filters; `next` is the value of `after` for
    the next page, null on the last one."""

    total: int
    next: str | None
    replica: str


class Query(NamedTuple):
    """The parameters of a request for a list; "" for those not given."""

    limit: int = DEFAULT_LIMIT
    after: str = ""
    fields: tuple[str, ...] = ()
    q: str = ""
    namespace: str = ""
    service: str = ""
    client: str = ""
    workload: str = ""
    state: str = ""

    @property
    def matches_client(self) -> Callable[[str], bool]:
        """Whether a node id matches the pattern `client`; `*` stands for any text."""
        if not self.client:
            return lambda _: True
        pattern = re.compile(translate(self.client))
        return lambda node: pattern.match(node) is not None


@dataclass(frozen=True, slots=True)
class ListType:
    """A list of rows of a type. `filters`: those of `Query` that it has; `states`: the values of `state`."""

    row: type[msgspec.Struct]
    filters: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    more: tuple[Parameter, ...] = ()
    """Parameters of this list alone, which its operation reads itself."""

    @property
    def fields(self) -> frozenset[str]:
        """The values of `fields`."""
        return frozenset(self.row.__struct_fields__)

    @property
    def response(self) -> tuple[type[msgspec.Struct]]:
        """The type of the response, for its operation."""
        name = f"{self.row.__name__.removesuffix('Row')}List"
        items: Any = list[self.row]  # type: ignore[name-defined]
        return (msgspec.defstruct(name, [("items", items)], bases=(Page,), frozen=True),)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of its operation."""
        known = {
            "q": text("q", "text that the id contains, in any case"),
            "namespace": text("namespace", "namespace of the object"),
            "service": object_parameter("service", "a service, as NAMESPACE/NAME"),
            "client": text("client", "pattern of node ids; * stands for any text"),
            "workload": object_parameter("workload", "a client workload, as NAMESPACE/NAME"),
            "state": choice("state", "the state", self.states),
        }
        number = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        names = {"type": "array", "items": {"enum": sorted(self.fields)}, "minItems": 1}
        return (
            Parameter("limit", "items of a page", number),
            text("after", "the token `next` of the previous page"),
            Parameter("fields", "fields of the items, separated by commas; the id is always present", names),
            *(known[name] for name in self.filters),
            *self.more,
        )

    def parameters_with(self, other: "ListType") -> tuple[Parameter, ...]:
        """Those of an operation that gives either list: the values of `fields` are those of both."""
        names = sorted(self.fields | other.fields)
        return tuple(
            replace(parameter, schema=parameter.schema | {"items": {"enum": names}})
            if parameter.name == "fields"
            else parameter
            for parameter in self.parameters
        )

    def parse(self, query: QueryParams) -> Query:
        """The parameters of a request; RequestError for an invalid value. Its operation checks those with an `enum`."""
        fields = tuple(query["fields"].split(",")) if "fields" in query else ()
        if unknown := [name for name in fields if name not in self.fields]:
            raise RequestError(f"no field is called {unknown[0]!r}: give {', '.join(sorted(self.fields))}")
        given = {name: query[name] for name in self.filters if name in query}
        for name in OBJECTS & given.keys():
            parse_object(query, name)
        return Query(
            limit=parse_limit(query.get("limit", str(DEFAULT_LIMIT))),
            after=query.get("after", ""),
            fields=fields,
            **given,
        )


def page(
    rows: Sequence[_R],
    query: Query,
    replica: str,
    *,
    order: Callable[[str], Any] = str,
    complete: Callable[[Sequence[_R]], Sequence[Any]] | None = None,
) -> bytes:
    """The response: a page of rows, or of ids, which are filtered and in the order of `order(id)`.

    `complete` gets those of the page and returns the rows to show; ids need it. RequestError for an invalid token.
    """
    start = 0
    if query.after:
        try:
            after = order(query.after)
        except ValueError:
            raise RequestError(f"after is {query.after!r}: give the token next of a page") from None
        start = bisect_right(rows, after, key=lambda row: order(_id(row)))
    shown: Sequence[Any] = rows[start : start + query.limit]
    more = start + query.limit < len(rows)
    token = _id(shown[-1]) if shown and more else None
    if complete is not None:
        shown = complete(shown)
    items = [_selected(row, query.fields) for row in shown] if query.fields else shown
    return msgspec.json.encode({"items": items, "total": len(rows), "next": token, "replica": replica})


def _id(row: Row | str) -> str:
    return row if isinstance(row, str) else row.id


def _selected(row: Any, fields: Iterable[str]) -> dict[str, Any]:
    return {"id": row.id} | {name: getattr(row, name) for name in fields}


def parse_limit(value: str) -> int:
    """The items of a page; RequestError: it is no number, or out of range."""
    number = int(value) if _NUMBER.fullmatch(value) else 0
    if not 1 <= number <= MAX_LIMIT:
        raise RequestError(f"limit is {value!r}: give a number from 1 to {MAX_LIMIT}")
    return number


def position(token: str) -> int:
    """The number that a token of the next page is, 0 for "". RequestError for another text."""
    if token and not (token.isascii() and token.isdecimal() and len(token) < _MAX_TOKEN):
        raise RequestError(f"after is {token!r}: give the token next of a page")
    return int(token or 0)


def object_parameter(name: str, what: str) -> Parameter:
    """A parameter that is `NAMESPACE/NAME`."""
    return Parameter(name, what, {"type": "string", "pattern": OBJECT_PATTERN})


def parse_object(query: QueryParams, name: str) -> str:
    """Its value, "" for none; RequestError: it is no name of an object."""
    value = query.get(name)
    if value is not None and not _OBJECT.match(value):
        raise RequestError(f"{name} is {value!r}: give NAMESPACE/NAME")
    return value or ""
