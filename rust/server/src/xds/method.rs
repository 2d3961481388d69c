//! The discovery methods, by their request path.

use steerway_engine::{Protocol, Service, TypeId};

const METHODS: [(&str, Protocol, Service); 18] = {
    use Protocol::{Delta, Sotw};
    use Service::{Ads, PerType};
    [
        ("/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources", Sotw, Ads),
        ("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", Delta, Ads),
        (
            "/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints",
            Sotw,
            PerType(TypeId::Endpoint),
        ),
        (
            "/envoy.service.endpoint.v3.EndpointDiscoveryService/DeltaEndpoints",
            Delta,
            PerType(TypeId::Endpoint),
        ),
        ("/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters", Sotw, PerType(TypeId::Cluster)),
        ("/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters", Delta, PerType(TypeId::Cluster)),
        (
            "/envoy.service.listener.v3.ListenerDiscoveryService/StreamListeners",
            Sotw,
            PerType(TypeId::Listener),
        ),
        (
            "/envoy.service.listener.v3.ListenerDiscoveryService/DeltaListeners",
            Delta,
            PerType(TypeId::Listener),
        ),
        ("/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes", Sotw, PerType(TypeId::Route)),
        ("/envoy.service.route.v3.RouteDiscoveryService/DeltaRoutes", Delta, PerType(TypeId::Route)),
        ("/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets", Sotw, PerType(TypeId::Secret)),
        ("/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets", Delta, PerType(TypeId::Secret)),
        ("/envoy.service.runtime.v3.RuntimeDiscoveryService/StreamRuntime", Sotw, PerType(TypeId::Runtime)),
        ("/envoy.service.runtime.v3.RuntimeDiscoveryService/DeltaRuntime", Delta, PerType(TypeId::Runtime)),
        (
            "/envoy.service.route.v3.ScopedRoutesDiscoveryService/StreamScopedRoutes",
            Sotw,
            PerType(TypeId::ScopedRoute),
        ),
        (
            "/envoy.service.route.v3.ScopedRoutesDiscoveryService/DeltaScopedRoutes",
            Delta,
            PerType(TypeId::ScopedRoute),
        ),
        (
            "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs",
            Sotw,
            PerType(TypeId::Extension),
        ),
        (
            "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/DeltaExtensionConfigs",
            Delta,
            PerType(TypeId::Extension),
        ),
    ]
};

/// The discovery method of a path, with its full name; `None` when it is none.
pub(crate) fn find(path: &str) -> Option<(&'static str, Protocol, Service)> {
    METHODS.into_iter().find(|(method, _, _)| *method == path)
}
