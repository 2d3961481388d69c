"""Where the requests of a service port go: rules, each with what it matches and the backends that get its requests.

A port without a route has its own endpoints. With one, the rules are all there is: what matches none fails
(GEP-1294). Rules of all routes that are attached to a port stand in one list in the order of the Gateway API's
precedence; the first that matches counts.
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.policy import NOTHING, Policy


class MatchType(enum.Enum):
    """How a value is compared."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"


class ValueMatch(NamedTuple):
    """A header or query parameter by its value."""

    name: str
    match_type: MatchType
    value: str


@dataclass(frozen=True, slots=True)
class Match:
    """What requests a rule takes, by their path, headers, query parameters and HTTP method ("" for any).

    A prefix is one of text: `/pkg.Service/`. `elements`: one of whole path elements, as HTTPRoute's PathPrefix has it:
    `/a` is `/a` and `/a/b`, not `/ab`. `characters`: how many a match of a gRPC method gives for the service and for
    the method, which is what ranks it, where that is not an exact path.
    """

    match_type: MatchType = MatchType.PREFIX
    path: str = ""
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    method: str = ""
    elements: bool = False
    characters: tuple[int, int] | None = None


class HeaderChange(NamedTuple):
    """Headers that are set, added and removed."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.set or self.add or self.remove)


class Rewrite(NamedTuple):
    """A new host, and a new path: all of it, or instead of the prefix that matched; None: as it was."""

    host: str | None = None
    path: str | None = None
    prefix: str | None = None


class Redirect(NamedTuple):
    """An answer that sends the client elsewhere; None: as it was."""

    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: str | None = None
    prefix: str | None = None
    status: int = 302


class BackendPort(NamedTuple):
    """One port of a Service, by its number."""

    service: ServiceId
    port: int

    def __str__(self) -> str:
        return f"{self.service}:{self.port}"


class Mirror(NamedTuple):
    """A share of the requests that a backend gets a copy of."""

    to: BackendPort
    share: float = 1.0


NO_CHANGE = HeaderChange()


@dataclass(frozen=True, slots=True)
class Changes:
    """What is done to requests and responses on their way."""

    request: HeaderChange = NO_CHANGE
    response: HeaderChange = NO_CHANGE
    rewrite: Rewrite | None = None

    def __bool__(self) -> bool:
        return bool(self.request or self.response or self.rewrite)


UNCHANGED = Changes()


class Unapplied(enum.Enum):
    """A setting of a rule that no client applies."""

    SESSION_TYPE = "type of sessions"
    IDLE_TIMEOUT = "idle timeout of sessions"
    ABSOLUTE_TIMEOUT = "absolute timeout of sessions that are not permanent"
    BACKEND_FILTER = "filter of a backend"
    BACKEND_PATH = "path of one of several backends"


@dataclass(frozen=True, slots=True)
class Backend:
    """A receiver of a share of a rule's requests: `weight` of the sum of all. `to` None: its share fails."""

    to: BackendPort | None
    weight: int = 1
    changes: Changes = UNCHANGED


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of requests that match. No backend with a weight, and no redirect: they fail.

    `policy` has the sections that the rule itself or its route sets. `where` names the rule, `route` its route.
    `attempt_seconds`: the longest time of one attempt; None or 0: no limit.
    """

    where: str
    backends: tuple[Backend, ...] = ()
    changes: Changes = UNCHANGED
    mirrors: tuple[Mirror, ...] = ()
    redirect: Redirect | None = None
    policy: Policy = NOTHING
    not_done: tuple[str, ...] = ()
    """Filters that no client of ours has: requests that match fail, since they must not be passed over."""
    hostnames: tuple[str, ...] = ()
    """Of its route. In a mesh they mean nothing (GEP-1294); a gateway answers by them."""
    route: str = ""
    attempt_seconds: float | None = None
    not_applied: tuple[tuple[Unapplied, str], ...] = ()
    """With the value, "" for none. Requests that match are sent without them."""


class Entry(NamedTuple):
    """One match of a rule."""

    match: Match
    rule: Rule


Table = tuple[Entry, ...]
"""All entries, the most specific first."""


@dataclass(frozen=True, slots=True)
class Routing:
    """The tables of one port: for everybody (None: there is no such route), and for clients of single namespaces, which
    replace it there (GEP-1324: consumer routes)."""

    producer: Table | None = None
    consumers: tuple[tuple[str, Table], ...] = ()

    def table(self, namespace: str) -> Table | None:
        """What counts for clients of a namespace; None: no route, the port's own endpoints."""
        return dict(self.consumers).get(namespace, self.producer)

    def hostnames(self, namespace: str) -> list[str]:
        """Those of the routes that count for clients of a namespace."""
        return sorted({host for _, rule in self.table(namespace) or () for host in rule.hostnames})

    @property
    def tables(self) -> tuple[Table, ...]:
        return (*(() if self.producer is None else (self.producer,)), *(table for _, table in self.consumers))


NO_ROUTE = Routing()
