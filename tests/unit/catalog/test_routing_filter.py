"""What a rule does besides sending requests on: filters, timeouts, retries, sessions."""

from typing import Any

import pytest

from steerway.catalog.model.policy import NOTHING, Policy, Retry, Session
from steerway.catalog.model.route import HeaderChange, Mirror, Redirect, Rewrite, Rule
from steerway.catalog.routing import rule as routing
from tests.support.example.route_example import BACKEND, Json, backend, grpc_route, http_route, rule


def only(*backends: str | Json, http: bool = True, sources: Policy = NOTHING, **fields: Any) -> Rule:
    """The rule that one rule of a route becomes; `sources` are its policies."""
    route = (http_route if http else grpc_route)(rule(*(backends or ("a",)), **fields))
    ((_, result),) = routing.build(BACKEND, 50051, [route], lambda *_: sources).producer or ()
    return result


def filter(type: str, **fields: object) -> Json:
    """One filter: its field is called as its type, in lower case at the beginning."""
    field = {"URLRewrite": "urlRewrite"}.get(type, type[0].lower() + type[1:])
    return {"type": type, field: fields}


def test_headers_are_set_added_and_removed() -> None:
    """Of requests and responses, in the order of the filters, names in lower case."""
    result = only(
        filters=[
            filter("RequestHeaderModifier", set=[{"name": "X-A", "value": "1"}], remove=["X-B"]),
            filter("ResponseHeaderModifier", add=[{"name": "X-C", "value": "2"}]),
            filter("RequestHeaderModifier", set=[{"name": "x-d", "value": "3"}]),
        ]
    )
    assert result.changes.request == HeaderChange(set=(("x-a", "1"), ("x-d", "3")), remove=("x-b",))
    assert result.changes.response == HeaderChange(add=(("x-c", "2"),))
    assert not only().changes


def test_filters_of_a_backend_are_its_own() -> None:
    """And do nothing to the requests of the others."""
    change = filter("RequestHeaderModifier", add=[{"name": "x", "value": "1"}])
    result = only(backend("a", filters=[change]), "b", http=False)
    assert [item.changes.request.add for item in result.backends] == [(("x", "1"),), ()]
    assert not result.changes


@pytest.mark.parametrize(
    ("path", "rewrite"),
    [
        (None, Rewrite("h", None, None)),
        ({"type": "ReplaceFullPath", "replaceFullPath": "/a"}, Rewrite("h", "/a", None)),
        ({"type": "ReplacePrefixMatch", "replacePrefixMatch": ""}, Rewrite("h", None, "")),
    ],
)
def test_a_rewrite_is_of_host_and_path(path: Json | None, rewrite: Rewrite) -> None:
    """All of the path, or its prefix, which may become empty."""
    assert only(filters=[filter("URLRewrite", hostname="h", path=path)]).changes.rewrite == rewrite


def test_a_redirect_has_only_the_changed_parts() -> None:
    """The rest stays; 302 unless it has a status."""
    assert only(filters=[filter("RequestRedirect", port=8443)]).redirect == Redirect(port=8443, status=302)
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/b"}
    full = filter("RequestRedirect", scheme="https", hostname="h", statusCode=301, path=path)
    assert only(filters=[full]).redirect == Redirect("https", "h", None, None, "/b", 301)
    assert only().redirect is None


@pytest.mark.parametrize(
    ("fields", "share"),
    [
        ({}, 1.0),
        ({"percent": 42}, 0.42),
        ({"percent": 0}, 0.0),
        ({"fraction": {"numerator": 1, "denominator": 8}}, 0.125),
        ({"fraction": {"numerator": 5}}, 0.05),
        ({"fraction": {"numerator": 5, "denominator": 0}}, 1.0),
    ],
)
def test_a_mirror_gets_a_share(fields: Json, share: float) -> None:
    """All of it unless it has a share."""
    result = only(filters=[filter("RequestMirror", backendRef={"name": "m", "port": 80}, **fields)])
    ((to, got),) = result.mirrors
    assert (str(to), got) == ("shop/m:80", share)


def test_a_mirror_without_a_service_is_none() -> None:
    """It has no share of the requests that could fail."""
    bad = [{"name": "m"}, {"name": "m", "port": 80, "kind": "Bucket"}]
    filters = [filter("RequestMirror", backendRef=ref) for ref in bad]
    result = only(filters=[*filters, filter("RequestMirror", backendRef={"name": "n", "port": 1})])
    assert [mirror.to.service.name for mirror in result.mirrors] == ["n"]
    assert isinstance(result.mirrors[0], Mirror)


def test_filters_that_no_client_supports_are_listed() -> None:
    """ "it MUST NOT be skipped": requests that such a filter is for fail."""
    assert only(filters=[{"type": "ExtensionRef"}, {"type": "CORS"}]).not_done == ("CORS", "ExtensionRef")
    assert only(filters=[filter("RequestRedirect")]).not_done == ()


@pytest.mark.parametrize(
    ("request_", "wanted"), [("10s", 10.0), ("500ms", 0.5), ("0s", 0.0), (None, None), ("1m30s", 90.0)]
)
def test_the_timeout_of_a_request_is_that_of_a_call(request_: str | None, wanted: float | None) -> None:
    """GEP-1742: 0 is no limit at all, and counts as a word. The time of one attempt is another thing."""
    timeouts = {"backendRequest": "1s"} if request_ is None else {"request": request_}
    assert only(timeouts=timeouts).policy.timeout_seconds == wanted


@pytest.mark.parametrize(
    ("retry", "wanted"),
    [
        (
            {},
            Retry(("deadline-exceeded", "internal", "unavailable"), 1, 0.025, statuses=(500, 502, 503, 504)),
        ),
        ({"codes": [503], "attempts": 3}, Retry(("unavailable",), 3, 0.025, statuses=(503,))),
        ({"codes": [429], "attempts": 9}, Retry(("resource-exhausted",), 9, 0.025, statuses=(429,))),
        (
            {"codes": [504], "backoff": "1s"},
            Retry(("deadline-exceeded", "unavailable"), 1, 1.0, statuses=(504,)),
        ),
        ({"codes": [500], "backoff": "0s"}, Retry(("internal",), 1, 0.001, statuses=(500,))),
        ({"codes": [404]}, Retry((), 1, 0.025, statuses=(404,))),
        ({"codes": [503], "attempts": 0}, Retry((), 0)),
    ],
)
def test_retries_are_after_grpc_codes_too(retry: Json, wanted: Retry) -> None:
    """GEP-1731, by gRPC's mapping of HTTP statuses; no attempts means that nothing is tried again."""
    assert only(retry=retry).policy.retry == wanted


def test_a_session_is_by_cookie_or_by_header() -> None:
    """GEP-1619: of the session, or of the absolute time when the cookie is to last. A header has no time."""
    permanent = {"sessionName": "s", "absoluteTimeout": "1h", "cookieConfig": {"lifetimeType": "Permanent"}}
    for http in (False, True):
        assert only(http=http, sessionPersistence=permanent).policy.session == Session("s", "/", 3600.0)
    assert only(sessionPersistence={"absoluteTimeout": "1h"}, name="A b").policy.session == Session(
        "httproute-shop-route-rule-a-b", "/", None
    )
    header = {"type": "Header", "sessionName": "X-Cart", "absoluteTimeout": "1h"}
    assert only(sessionPersistence=header).policy.session == Session("", header="x-cart")
    assert only(sessionPersistence={"type": "Ticket"}).policy.session is None


def test_an_attempt_has_a_time_of_its_own() -> None:
    """GEP-1742; 0s is no limit."""
    assert only(timeouts={"request": "5s", "backendRequest": "1s"}).attempt_seconds == 1.0
    assert only(timeouts={"request": "5s"}).attempt_seconds is None


def test_a_rules_own_fields_come_before_policies() -> None:
    """Section by section; the policy applies where the rule has none."""
    sources = Policy.from_object(
        "policy", timeout_seconds=1.0, retry=Retry(("internal",)), maximum_requests=5
    )
    policy = only(sources=sources, timeouts={"request": "9s"}, retry={"attempts": 0}).policy
    assert (policy.timeout_seconds, policy.retry, policy.maximum_requests) == (9.0, Retry((), 0), 5)
    assert dict(policy.sources) == {
        "timeout_seconds": "HTTPRoute shop/route rule 0",
        "retry": "HTTPRoute shop/route rule 0",
        "maximum_requests": "policy",
    }
    assert only(sources=sources).policy == sources
