"""Short names of xDS resource types (`cds`), and their other spellings in requests."""

import difflib
from collections.abc import Iterable

PREFIX = "type.googleapis.com/"

SHORT = {
    "lds": "envoy.config.listener.v3.Listener",
    "rds": "envoy.config.route.v3.RouteConfiguration",
    "srds": "envoy.config.route.v3.ScopedRouteConfiguration",
    "vhds": "envoy.config.route.v3.VirtualHost",
    "cds": "envoy.config.cluster.v3.Cluster",
    "eds": "envoy.config.endpoint.v3.ClusterLoadAssignment",
    "sds": "envoy.extensions.transport_sockets.tls.v3.Secret",
    "rtds": "envoy.service.runtime.v3.Runtime",
    "ecds": "envoy.config.core.v3.TypedExtensionConfig",
}
_SHORT_OF = {full: short for short, full in SHORT.items()}


def short_name(type_url: str) -> str:
    """`cds` for a Cluster; the message's full name for a type without a short one."""
    full = type_url.removeprefix(PREFIX)
    return _SHORT_OF.get(full, full)


def matches(type_url: str, asked: str) -> bool:
    """Whether `asked` names the type: `cds`, `Cluster`, the full name or the URL."""
    full = type_url.removeprefix(PREFIX)
    asked = asked.removeprefix(PREFIX)
    return asked == full or asked.lower() in (short_name(type_url), full.rpartition(".")[2].lower())


def known(asked: str, type_urls: Iterable[str]) -> bool:
    """Whether `asked` names one of the xDS types, or one of `type_urls`."""
    return any(matches(full, asked) for full in (*SHORT.values(), *type_urls))


def all_names(type_urls: Iterable[str]) -> list[str]:
    """Short names of the xDS types and of `type_urls`."""
    return sorted({*SHORT, *map(short_name, type_urls)})


def nearest(asked: str, type_urls: Iterable[str]) -> list[str]:
    """Similar short names; all of them when none is similar."""
    every = all_names(type_urls)
    return difflib.get_close_matches(asked.lower(), every, n=3, cutoff=0.5) or every
