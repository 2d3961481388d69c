"""What the conformance suite asks of routes beyond gRPC, repeated: paths of any depth, query
parameters, redirects, rewrites, changes of headers.

Source: kubernetes-sigs/gateway-api 4564255 (after v1.6.1), `conformance/tests/mesh`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.manifest import Manifest, backend_ref, headers_of, http_route, path, rule
from tests.support.example.conformance import NO_MATCH, V1, V2, V3, Case, Conformance


def _query(value: str, name: str = "animal") -> dict[str, Any]:
    return {"queryParams": [{"name": name, "value": value}]}


def _headers(version: str) -> dict[str, Any]:
    return {"headers": headers_of(version=version)}


MATCHED = (
    Conformance(
        "MeshHTTPRouteQueryParamMatching",
        [
            http_route(
                "query",
                "echo",
                rule(V1, matches=[_query("whale")]),
                rule(V2, matches=[_query("dolphin")]),
                rule(V1, matches=[path("/path1", prefix=True, **_query("whale"))]),
                rule(V2, matches=[{**_headers("one"), **_query("whale")}]),
                rule(
                    V1,
                    matches=[
                        path("/path3", prefix=True, **_query("shark")),
                        path("/path4", prefix=True, **_headers("three"), **_query("kraken")),
                    ],
                ),
                rule(V1, matches=[path("/path5", prefix=True)]),
                rule(V2, matches=[_query("hydra")]),
            )
        ],
        [
            Case("/?animal=whale", V1),
            Case("/?animal=dolphin", V2),
            Case("/?animal=whale&otherparam=irrelevant", V1),
            Case("/?animal=dolphin&color=yellow", V2),
            *(
                Case(f"/?{text}", NO_MATCH)
                for text in ("color=blue", "animal=dog", "animal=whaledolphin", "")
            ),
            Case("/path1?animal=whale", V1),
            Case("/?animal=whale", V2, {"version": "one"}),
            Case("/path3?animal=shark", V1),
            Case("/path4?animal=kraken", V1, {"version": "three"}),
            Case("/?animal=shark", NO_MATCH),
            Case("/path4?animal=kraken", NO_MATCH),
            Case("/path5?animal=hydra", V1),
        ],
    ),
    Conformance(
        "HTTPRoutePathMatchOrder, its paths",
        [
            http_route(
                "order",
                "echo",
                *(rule(to, matches=[path(f"/match{end}")]) for to, end in ((V1, ""), (V2, "/exact"))),
                rule(V3, matches=[path("/match/exact/one")]),
                rule(V3, matches=[path("/match/", prefix=True)]),
                rule(V1, matches=[path("/match/prefix/", prefix=True)]),
                rule(V2, matches=[path("/match/prefix/one", prefix=True)]),
            )
        ],
        [
            Case("/match/exact/one", V3),
            Case("/match/exact", V2),
            Case("/match", V1),
            Case("/match/prefix/one/any", V2),
            Case("/match/prefix/any", V1),
            Case("/match/any", V3),
        ],
    ),
)
"""The backend of each request."""


@dataclass(frozen=True)
class Redirected:
    """A redirect by its filter, with the path that it is for; the status and the `Location` that are wanted.

    `{host}` in it is that of the request.
    """

    name: str
    filter: Mapping[str, Any]
    status: int
    location: str
    asked: str = "/a/b"
    prefix: str = "/a"


_ORG = {"hostname": "example.org"}
_PREFIX = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/replaced"}}
_FULL = {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/all"}}
_PATH, _PORT = "MeshHTTPRouteRedirectPath", "MeshHTTPRouteRedirectPort"
_STATUS, _SCHEME = "MeshHTTPRouteRedirectHostAndStatus", "MeshHTTPRouteSchemeRedirect"
_HTTPS = {"scheme": "https"}
REDIRECTED = (
    Redirected(_STATUS, _ORG, 302, "http://example.org/a/b"),
    Redirected(_STATUS, {**_ORG, "statusCode": 301}, 301, "http://example.org/a/b"),
    Redirected(_PATH, _PREFIX, 302, "http://{host}/replaced/b"),
    Redirected(_PATH, _FULL, 302, "http://{host}/all"),
    Redirected(_PATH, {**_ORG, **_PREFIX}, 302, "http://example.org/replaced", asked="/a"),
    Redirected(_PATH, {**_PREFIX, "statusCode": 301}, 301, "http://{host}/replaced", asked="/a"),
    Redirected(_PATH, {**_ORG, **_FULL}, 302, "http://example.org/all"),
    Redirected(_PATH, {**_FULL, "statusCode": 301}, 301, "http://{host}/all"),
    Redirected(_PORT, {"port": 8083}, 302, "http://{host}:8083/a/b"),
    Redirected(_PORT, {**_ORG, "port": 8083}, 302, "http://example.org:8083/a/b"),
    Redirected(_PORT, {"port": 8083, "statusCode": 301}, 301, "http://{host}:8083/a/b"),
    Redirected(_SCHEME, _HTTPS, 302, "https://{host}/a/b"),
    Redirected(_SCHEME, {**_ORG, **_HTTPS}, 302, "https://example.org/a/b"),
    Redirected(_SCHEME, {**_HTTPS, "statusCode": 301}, 301, "https://{host}/a/b"),
    *(
        Redirected(f"MeshHTTPRoute{code}Redirect", {"statusCode": code}, code, "http://{host}/a/b")
        for code in (303, 307, 308)
    ),
)


def modifier(**changes: Any) -> dict[str, Any]:
    """A change of the headers of requests: `set` and `add` by name, `remove` with names."""
    results = {
        kind: [{"name": name, "value": value} for name, value in changes[kind].items()]
        for kind in ("set", "add")
        if kind in changes
    }
    if "remove" in changes:
        results["remove"] = changes["remove"]
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": results}


@dataclass(frozen=True)
class Changed:
    """A request, what is done to it, and as what it has to arrive; None: a header that must not."""

    filters: tuple[Mapping[str, Any], ...]
    sent: Mapping[str, str] = field(default_factory=dict)
    arrives: Mapping[str, str | None] = field(default_factory=dict)
    asked: str = "/a"
    path: str | None = None
    prefix: str = "/a"


_MULTIPLE = modifier(
    set={"X-Set-1": "set-1", "X-Set-2": "set-2"},
    add={"X-Add-1": "add-1", "X-Add-2": "add-2", "X-Add-3": "add-3"},
    remove=["X-Remove-1", "X-Remove-2"],
)
MODIFIED = (
    Changed((modifier(set={"X-Set": "new"}),), {"other": "v"}, {"x-set": "new", "other": "v"}),
    Changed((modifier(set={"X-Set": "new"}),), {"x-set": "old"}, {"x-set": "new"}),
    Changed((modifier(add={"X-Add": "new"}),), {"other": "v"}, {"x-add": "new", "other": "v"}),
    Changed((modifier(add={"X-Add": "new"}),), {"x-add": "old"}, {"x-add": "old,new"}),
    Changed((modifier(remove=["X-Remove"]),), {"x-remove": "v"}, {"x-remove": None}),
    Changed(
        (_MULTIPLE,),
        {"x-set-2": "old", "x-add-2": "old", "x-remove-2": "old", "another": "v"},
        {
            "x-set-1": "set-1",
            "x-set-2": "set-2",
            "x-add-1": "add-1",
            "x-add-2": "old,add-2",
            "x-add-3": "add-3",
            "x-remove-1": None,
            "x-remove-2": None,
            "another": "v",
        },
    ),
    Changed(
        (modifier(set={"X-SET": "new"}, add={"X-ADD": "new"}, remove=["X-REMOVE"]),),
        {"x-set": "old", "x-add": "old", "x-remove": "old"},
        {"x-set": "new", "x-add": "old,new", "x-remove": None},
    ),
)


def _rewrite(**sources: Any) -> dict[str, Any]:
    kind = "ReplacePrefixMatch" if "replacePrefixMatch" in sources else "ReplaceFullPath"
    return {"type": "URLRewrite", "urlRewrite": {"path": {"type": kind, **sources}}}


_ALSO = modifier(set={"X-Set": "new"}, add={"X-Add": "new"}, remove=["X-Remove"])
_SENT = {"x-set": "old", "x-add": "old", "x-remove": "old"}
_ARRIVES = {"x-set": "new", "x-add": "old,new", "x-remove": None}
REWRITTEN = (
    Changed(
        (_rewrite(replacePrefixMatch="/one"),), asked="/prefix/one/two", path="/one/two", prefix="/prefix/one"
    ),
    Changed((_rewrite(replacePrefixMatch="/"),), asked="/strip/three", path="/three", prefix="/strip"),
    Changed((_rewrite(replacePrefixMatch="/"),), asked="/strip", path="/", prefix="/strip"),
    Changed((_rewrite(replaceFullPath="/one"),), asked="/full/one/two", path="/one", prefix="/full/one"),
    Changed((_rewrite(replaceFullPath="/t"), _ALSO), _SENT, _ARRIVES, "/full/x/y", "/t", "/full/x"),
    Changed((_rewrite(replacePrefixMatch="/p"), _ALSO), _SENT, _ARRIVES, "/p/x/one", "/p/one", "/p/x"),
)


def changing(name: str, service: str, changed: Changed, of_backend: bool = False) -> Manifest:
    """The route that does it, in its rule or for its backend."""
    match = [path(changed.prefix, prefix=True)]
    if of_backend:
        return http_route(name, service, rule(backend_ref(V1, filters=list(changed.filters)), matches=match))
    return http_route(name, service, rule(V1, matches=match, filters=list(changed.filters)))
