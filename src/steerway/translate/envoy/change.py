"""What Envoy changes in requests and responses on their way: headers, hosts and paths."""

from typing import Protocol

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as components
from envoy.type.matcher.v3 import regex_pb2

from steerway.catalog.model.route import Changes, HeaderChange, Match, Redirect, Rewrite
from steerway.translate.envoy.match import beginning, whole

_Option = base_pb2.HeaderValueOption
_STATUS = {
    301: components.RedirectAction.MOVED_PERMANENTLY,
    302: components.RedirectAction.FOUND,
    303: components.RedirectAction.SEE_OTHER,
    307: components.RedirectAction.TEMPORARY_REDIRECT,
    308: components.RedirectAction.PERMANENT_REDIRECT,
}
_PORTS = {"http": 80, "https": 443}


class _Action(Protocol):
    """A RouteAction or RedirectAction: both spell the change of a prefix alike."""

    prefix_rewrite: str
    regex_rewrite: regex_pb2.RegexMatchAndSubstitute


def headers(target: components.Route | components.WeightedCluster.ClusterWeight, changes: Changes) -> None:
    """Have a route, or a cluster of it, change headers."""
    target.request_headers_to_add.extend(_options(changes.request))
    target.request_headers_to_remove.extend(changes.request.remove)
    target.response_headers_to_add.extend(_options(changes.response))
    target.response_headers_to_remove.extend(changes.response.remove)


def rewrite(action: components.RouteAction, match: Match, wanted: Rewrite) -> None:
    """Have requests go on with another host or path."""
    if wanted.host is not None:
        action.host_rewrite_literal = wanted.host
    if wanted.path is not None:
        action.regex_rewrite.CopyFrom(_regex("^.*$", wanted.path))
    elif wanted.prefix is not None:
        _prefix(action, match, wanted.prefix)


def redirect(match: Match, wanted: Redirect) -> components.RedirectAction:
    """An answer that sends the client elsewhere."""
    action = components.RedirectAction(
        response_code=_STATUS.get(wanted.status, components.RedirectAction.FOUND),
        host_redirect=wanted.host or "",
        scheme_redirect=wanted.scheme,
    )
    # HTTPRequestRedirectFilter.port: the well-known port of the scheme is not spelled out.
    if wanted.port is not None and wanted.port != _PORTS.get(wanted.scheme or ""):
        action.port_redirect = wanted.port
    if wanted.path is not None:
        action.path_redirect = wanted.path
    elif wanted.prefix is not None:
        _prefix(action, match, wanted.prefix)
    return action


def _options(change: HeaderChange) -> list[base_pb2.HeaderValueOption]:
    """A percent sign begins a variable of Envoy's unless it is there twice."""
    return [
        _Option(
            header=base_pb2.HeaderValue(key=name, value=value.replace("%", "%%")),
            append_action=action,
            keep_empty_value=True,
        )
        for action, pairs in (
            (_Option.OVERWRITE_IF_EXISTS_OR_ADD, change.set),
            (_Option.APPEND_IF_EXISTS_OR_ADD, change.add),
        )
        for name, value in pairs
    ]


def _prefix(action: _Action, match: Match, prefix: str) -> None:
    """Path elements instead of others. Where one of the two is the root, Envoy's own way would lose or double a slash:
    `/a` → `/` makes `//b` of `/a/b`."""
    new = prefix.rstrip("/")
    if whole(match) and new:
        action.prefix_rewrite = new
    else:
        action.regex_rewrite.CopyFrom(_regex(beginning(match), f"{new}/"))


def _regex(pattern: str, substitution: str) -> regex_pb2.RegexMatchAndSubstitute:
    return regex_pb2.RegexMatchAndSubstitute(
        pattern=regex_pb2.RegexMatcher(regex=pattern),
        # RE2 reads \1 as what a group matched.
        substitution=substitution.replace("\\", "\\\\"),
    )
