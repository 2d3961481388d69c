//! What Python must hear of: one queue, and one file descriptor that is readable while something waits in it.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use steerway_engine::{DemandKey, Nack, TypeId};

use crate::handshake::HandshakeFailed;
use crate::peer::{Peer, Token};

/// NACKs that wait to be polled at the most; the oldest are dropped, or a client could fill the memory with them.
const MAX_NACKS: usize = 1024;

/// Something that happened on the engine's threads.
#[derive(Debug)]
pub enum Event {
    /// A stream sent its first request and waits for its audience.
    Opened {
        /// Identity of the stream.
        stream: u64,
        /// The client.
        peer: Arc<Peer>,
        /// The bearer token that came with the stream.
        token: Token,
        /// The serialised Node.
        node: Bytes,
    },
    /// The first subscription to a name in an audience.
    Demand(DemandKey),
    /// The last one went, a grace time ago.
    Withdrawn(DemandKey),
    /// A client refused a response.
    Nack {
        /// Identity of the stream.
        stream: u64,
        /// Address of the client.
        peer: Arc<str>,
        /// The client's `node.id`.
        node_id: Arc<str>,
        /// Type of the refused response.
        type_id: TypeId,
        /// What was refused and why.
        nack: Box<Nack>,
    },
    /// A connection was not served.
    HandshakeFailed(HandshakeFailed),
    /// A stream that was reported as opened ended.
    Closed {
        /// Identity of the stream.
        stream: u64,
    },
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    nacks: usize,
}

/// The queue. Any thread pushes, one polls.
pub(crate) struct Events {
    queue: Mutex<Queue>,
    signal: OwnedFd,
}

impl Events {
    pub(crate) fn new() -> std::io::Result<Events> {
        let signal = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Events { queue: Mutex::default(), signal })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.signal.as_raw_fd()
    }

    pub(crate) fn push(&self, event: Event) {
        let mut queue = self.queue.lock();
        if matches!(event, Event::Nack { .. }) {
            if queue.nacks == MAX_NACKS {
                let oldest = queue.events.iter().position(|event| matches!(event, Event::Nack { .. }));
                oldest.map(|at| queue.events.remove(at));
            } else {
                queue.nacks += 1;
            }
        }
        queue.events.push_back(event);
        if queue.events.len() == 1 {
            // Fails only when the counter would overflow, and then it is readable already.
            let _ = rustix::io::write(self.signal.as_fd(), &1u64.to_ne_bytes());
        }
    }

    pub(crate) fn poll(&self) -> VecDeque<Event> {
        let mut queue = self.queue.lock();
        let _ = rustix::io::read(self.signal.as_fd(), &mut [0u8; 8]);
        queue.nacks = 0;
        std::mem::take(&mut queue.events)
    }
}
