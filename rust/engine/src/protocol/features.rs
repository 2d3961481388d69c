//! The features that a client announces in its Node.

use super::service::Protocol;
use crate::wire::{repeated, singular};

/// `envoy.config.core.v3.Node`.
const NODE_USER_AGENT_NAME: u32 = 6;
const NODE_CLIENT_FEATURES: u32 = 10;

/// The client features that the engine uses (Envoy's "Well Known Client Features").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// Drops resources when their time to live has passed.
    pub(crate) ttl: bool,
    /// Unwraps a `Resource` in a state-of-the-world response.
    pub(crate) resource_in_sotw: bool,
    /// Reads `resource_errors` (xRFC TP3, gRFC A88). The proposal has no feature for it: the name is that of this
    /// server.
    pub(crate) resource_errors: bool,
}

impl Features {
    pub(crate) fn of(node: &[u8]) -> Features {
        // Envoy supports both since 1.17 and announces neither.
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

    /// Whether responses to the client carry times to live.
    pub(crate) fn supports_ttl(self, protocol: Protocol) -> bool {
        self.ttl && (protocol == Protocol::Delta || self.resource_in_sotw)
    }
}
