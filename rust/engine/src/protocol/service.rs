//! Variants of the transport protocol, and the discovery services.

use super::status::Status;
use super::type_id::TypeId;

/// The two variants of the transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// State of the world: DiscoveryRequest and DiscoveryResponse.
    Sotw,
    /// Incremental: DeltaDiscoveryRequest and DeltaDiscoveryResponse.
    Delta,
}

/// The discovery service of a stream: which types it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Aggregated discovery: every type.
    Ads,
    /// The discovery service of one type.
    PerType(TypeId),
}

impl Service {
    /// The type of a request; `None` for an unknown type.
    pub(crate) fn type_of(self, url: &[u8]) -> Result<Option<TypeId>, Status> {
        match self {
            Service::Ads if url.is_empty() => Err(Status::invalid_argument(
                "a request on the aggregated discovery service must carry type_url",
            )),
            Service::Ads => Ok(TypeId::from_url(url)),
            Service::PerType(own) if url.is_empty() || url == own.url().as_bytes() => Ok(Some(own)),
            Service::PerType(own) => Err(Status::invalid_argument(format!(
                "this discovery service serves {} only, not {}",
                own.url(),
                String::from_utf8_lossy(url)
            ))),
        }
    }
}
