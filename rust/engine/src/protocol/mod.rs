//! Types, services, nodes and statuses of the transport protocol.

mod features;
mod node;
mod service;
mod status;
mod type_id;

pub(crate) use features::Features;
pub use node::Node;
pub(crate) use node::node_id;
pub use service::{Protocol, Service};
pub use status::{Code, Status};
pub use type_id::TypeId;
