//! One type on one stream: subscription, nonces, heartbeats, and the order among types.

mod heartbeat;
mod nonce;
mod peers;
mod replaced;
mod retiring;
mod state;
mod waiting;

pub(crate) use peers::{Outcome, Peers, Watches, warming_dependency};
pub(crate) use replaced::release_replaced;
pub(crate) use retiring::Retiring;
pub(crate) use state::{Listing, Watch};
