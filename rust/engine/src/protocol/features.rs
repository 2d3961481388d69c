//! What a client announces in its Node.

use super::service::Protocol;
use crate::wire::{repeated, singular};

/// `envoy.config.core.v3.Node`.
const NODE_USER_AGENT_NAME: u32 = 6;
const NODE_CLIENT_FEATURES: u32 = 10;

/// What the client says that it can do, as far as it matters here (Envoy's "Well Known Client Features").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// It drops resources when their time to live has passed.
    pub(crate) ttl: bool,
    /// It can unwrap a `Resource` in a state-of-the-world response.
    pub(crate) resource_in_sotw: bool,
    /// It wants to be told why a resource is not there (xRFC TP3, gRFC A88). The name of this feature is ours: the
    /// proposal has none.
    pub(crate) resource_errors: bool,
}

impl Features {
    pub(crate) fn of(node: &[u8]) -> Features {
        // Envoy does both since 1.17 and announces neither.
        let envoy = matches!(singular(node, NODE_USER_AGENT_NAME), Ok(Some(b"envoy")));
        let mut features = Features { ttl: envoy, resource_in_sotw: envoy, resource_errors: false };
        for feature in repeated(node, NODE_CLIENT_FEATURES).map_while(Result::ok) {
            match feature {
                b"xds.config.supports-resource-ttl" => features.ttl = true,
                b"xds.config.supports-resource-errors" => features.resource_errors = true,
                b"xds.config.resource-in-sotw" => features.resource_in_sotw = true,
                _ => {}
            }
        }
        features
    }

    /// Whether the client is told of times to live.
    pub(crate) fn supports_ttl(self, protocol: Protocol) -> bool {
        self.ttl && (protocol == Protocol::Delta || self.resource_in_sotw)
    }
}
