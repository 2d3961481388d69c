"""The resource types that steerway serves, with the short names of their discovery services."""

_PREFIX = "type.googleapis.com/envoy."

LISTENER = _PREFIX + "config.listener.v3.Listener"
ROUTE = _PREFIX + "config.route.v3.RouteConfiguration"
CLUSTER = _PREFIX + "config.cluster.v3.Cluster"
ENDPOINT = _PREFIX + "config.endpoint.v3.ClusterLoadAssignment"
SECRET = _PREFIX + "extensions.transport_sockets.tls.v3.Secret"
RUNTIME = _PREFIX + "service.runtime.v3.Runtime"
SCOPED_ROUTE = _PREFIX + "config.route.v3.ScopedRouteConfiguration"
EXTENSION = _PREFIX + "config.core.v3.TypedExtensionConfig"

SERVED = (LISTENER, ROUTE, CLUSTER, ENDPOINT, SECRET, RUNTIME, SCOPED_ROUTE, EXTENSION)
