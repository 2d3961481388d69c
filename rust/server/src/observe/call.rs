//! Calls that Python answers.

use std::sync::Arc;

use bytes::Bytes;

use crate::limits::call_slot::CallSlot;
use crate::net::peer::{Peer, Token};

/// The client of a call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its end of the connection.
    pub peer: Arc<Peer>,
    /// The bearer token of the call.
    pub token: Token,
}

/// One message that waits for an answer.
#[derive(Debug)]
pub struct Call {
    /// Identifies the call in the answer.
    pub id: u64,
    /// Name of the method.
    pub method: &'static str,
    /// The serialised request.
    pub message: Bytes,
    /// The client.
    pub caller: Caller,
    /// Held as long as the event exists: an event that was not polled counts, even after its client is gone.
    pub(crate) _slot: Arc<CallSlot>,
}
