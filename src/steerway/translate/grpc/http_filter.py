"""HTTP filters for gRPC clients and Envoy: which ones a listener has, and what a route sets in each.

A filter stands in the listener with nothing to do, and routes give it something (`typed_per_filter_config`). All but
the router are optional, in the listener and, where not every client knows them, in routes: a client that does not know
one passes it over.
"""

from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.common.fault.v3 import fault_pb2 as common_fault_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.http.stateful_session.cookie.v3 import cookie_pb2 as session_cookie_pb2
from envoy.extensions.http.stateful_session.header.v3 import header_pb2 as session_header_pb2
from envoy.type.http.v3 import cookie_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.any_pb2 import Any

from steerway.catalog.model.policy import Fault, Policy, Session
from steerway.translate.protobuf.packing import duration, pack

FAULT = "envoy.filters.http.fault"
SESSION = "envoy.filters.http.stateful_session"
ROUTER = hcm_pb2.HttpFilter(name="envoy.filters.http.router", typed_config=pack(router_pb2.Router()))
OF_LISTENER = (
    hcm_pb2.HttpFilter(name=FAULT, typed_config=pack(fault_pb2.HTTPFault()), is_optional=True),
    hcm_pb2.HttpFilter(
        name=SESSION, typed_config=pack(stateful_session_pb2.StatefulSession()), is_optional=True
    ),
    ROUTER,
)
"""Every listener has them all, whether its routes speak to them or not: grpc-js-xds 1.14 passes over a filter that
comes to a listener while its route keeps its name. gRFC A39: a client refuses one whose last filter is not the
router."""
_MILLION = 1_000_000


def of_route(policy: Policy, envoy: bool = False) -> dict[str, Any]:
    """What a route sets in its filters, by their names. `envoy`: in those of an Envoy."""
    filters: dict[str, Any] = {}
    if policy.fault is not None:
        # As it is: all clients know this filter, and grpc-js-xds 1.14 refuses one that it knows in a FilterConfig.
        filters[FAULT] = pack(_fault(policy.fault))
    # gRFC A55: a client refuses a session that is not one by cookie, in a filter that it knows.
    if policy.session is not None and (envoy or not policy.session.header):
        filters[SESSION] = _optional(pack(_session(policy.session)))
    return filters


def _optional(config: Any) -> Any:
    return pack(route_components_pb2.FilterConfig(config=config, is_optional=True))


def _fault(wanted: Fault) -> fault_pb2.HTTPFault:
    fault = fault_pb2.HTTPFault()
    if wanted.delay_share and wanted.delay_seconds:  # Envoy refuses a delay of no time
        fault.delay.CopyFrom(
            common_fault_pb2.FaultDelay(
                fixed_delay=duration(wanted.delay_seconds), percentage=fraction(wanted.delay_share)
            )
        )
    if wanted.abort_share:
        fault.abort.CopyFrom(
            fault_pb2.FaultAbort(grpc_status=wanted.abort_code, percentage=fraction(wanted.abort_share))
        )
    return fault


def fraction(share: float) -> percent_pb2.FractionalPercent:
    """A share in millionths."""
    return percent_pb2.FractionalPercent(
        numerator=round(share * _MILLION), denominator=percent_pb2.FractionalPercent.MILLION
    )


def _session(wanted: Session) -> stateful_session_pb2.StatefulSessionPerRoute:
    session = stateful_session_pb2.StatefulSession()
    kind = "header" if wanted.header else "cookie"
    session.session_state.name = f"envoy.http.stateful_session.{kind}"
    session.session_state.typed_config.CopyFrom(_by_header(wanted) if wanted.header else _by_cookie(wanted))
    return stateful_session_pb2.StatefulSessionPerRoute(stateful_session=session)


def _by_header(wanted: Session) -> Any:
    return pack(session_header_pb2.HeaderBasedSessionState(name=wanted.header))


def _by_cookie(wanted: Session) -> Any:
    cookie = cookie_pb2.Cookie(name=wanted.cookie, path=wanted.path or "/")
    if wanted.ttl_seconds:
        cookie.ttl.CopyFrom(duration(wanted.ttl_seconds))
    return pack(session_cookie_pb2.CookieBasedSessionState(cookie=cookie))
