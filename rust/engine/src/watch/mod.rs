//! One type on one stream: its subscription, nonces and heartbeats, and how it waits for other types of the stream.

mod deliveries;
mod due;
mod heartbeat;
mod nonce;
mod peers;
mod replaced;
mod retiring;
mod shortfall;
mod state;
mod waiting;

pub(crate) use deliveries::Deliveries;
pub use deliveries::{DeliveryState, DeliveryUpdate};
pub(crate) use due::{Due, Listing, Warming};
pub(crate) use heartbeat::Heartbeats;
pub(crate) use peers::Peers;
pub(crate) use replaced::release_replaced;
pub(crate) use retiring::Retiring;
pub(crate) use shortfall::Shortfall;
pub(crate) use state::{Watch, Watches};
pub(crate) use waiting::Waiting;
