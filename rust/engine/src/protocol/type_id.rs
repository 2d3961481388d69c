//! The resource types of the server, in the order in which one stream sends them.

/// A resource type: a small index for its type URL.
///
/// The order of the variants is the order of sending within one stream. "xDS REST and gRPC protocol", Eventual
/// consistency considerations: clusters first, then their endpoints, then listeners, then routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TypeId {
    /// `envoy.config.cluster.v3.Cluster` (CDS).
    Cluster,
    /// `envoy.config.endpoint.v3.ClusterLoadAssignment` (EDS).
    Endpoint,
    /// `envoy.config.listener.v3.Listener` (LDS).
    Listener,
    /// `envoy.config.route.v3.RouteConfiguration` (RDS).
    Route,
    /// `envoy.config.route.v3.ScopedRouteConfiguration` (SRDS).
    ScopedRoute,
    /// `envoy.extensions.transport_sockets.tls.v3.Secret` (SDS).
    Secret,
    /// `envoy.service.runtime.v3.Runtime` (RTDS).
    Runtime,
    /// `envoy.config.core.v3.TypedExtensionConfig` (ECDS).
    Extension,
}

impl TypeId {
    /// Number of types.
    pub const COUNT: usize = 8;

    /// All types, in the order of sending.
    pub const ALL: [TypeId; Self::COUNT] = [
        TypeId::Cluster,
        TypeId::Endpoint,
        TypeId::Listener,
        TypeId::Route,
        TypeId::ScopedRoute,
        TypeId::Secret,
        TypeId::Runtime,
        TypeId::Extension,
    ];

    /// The type of a type URL; `None` for other types.
    pub fn from_url(url: impl AsRef<[u8]>) -> Option<TypeId> {
        Self::ALL.into_iter().find(|id| id.url().as_bytes() == url.as_ref())
    }

    /// `type.googleapis.com/…`, as it stands in requests, responses and every resource.
    pub const fn url(self) -> &'static str {
        match self {
            TypeId::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            TypeId::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            TypeId::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            TypeId::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            TypeId::ScopedRoute => "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
            TypeId::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            TypeId::Runtime => "type.googleapis.com/envoy.service.runtime.v3.Runtime",
            TypeId::Extension => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        }
    }

    /// Index into tables of [`TypeId::COUNT`] entries.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether a state-of-the-world response must carry the whole subscribed set.
    ///
    /// "Grouping Resources into Responses" requires it of Listener and Cluster. ScopedRouteConfiguration is handled
    /// like them because Envoy's SRDS drops every scope that a state-of-the-world response lacks.
    pub const fn is_full_state(self) -> bool {
        matches!(self, TypeId::Cluster | TypeId::Listener | TypeId::ScopedRoute)
    }

    /// The type that clients subscribe to because a resource of this type names it.
    ///
    /// Envoy warms a changed cluster until its endpoints arrive. Over delta it does not subscribe again for that.
    pub(crate) const fn warming_dependency(self) -> Option<TypeId> {
        match self {
            TypeId::Cluster => Some(TypeId::Endpoint),
            TypeId::Listener => Some(TypeId::Route),
            _ => None,
        }
    }

    /// Whether a subscription may be a wildcard: by `*`, or by a first request without names.
    ///
    /// "How the client specifies what resources to return" allows it for Listener and Cluster. Envoy subscribes to
    /// ScopedRouteConfiguration the same way: it never names a scope.
    pub const fn allows_wildcard(self) -> bool {
        self.is_full_state()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_url_and_its_index() {
        for (index, type_id) in TypeId::ALL.into_iter().enumerate() {
            assert_eq!((type_id.index(), TypeId::from_url(type_id.url())), (index, Some(type_id)));
        }
        assert_eq!(TypeId::from_url("type.googleapis.com/envoy.api.v2.Cluster"), None);
        assert!(
            TypeId::Cluster < TypeId::Endpoint
                && TypeId::Endpoint < TypeId::Listener
                && TypeId::Listener < TypeId::Route
        );
    }
}
