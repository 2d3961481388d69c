//! What Python must hear of: one queue, and one file descriptor that is readable while something waits in it.

use std::collections::{HashMap, VecDeque};
#[cfg(all(test, feature = "shuttle"))]
use std::os::fd::BorrowedFd;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use bytes::Bytes;
use rustix::event::{EventfdFlags, eventfd};
use steerway_engine::{DemandKey, Nack, TypeId};

use crate::call::Call;
use crate::fault::Fault;
use crate::handshake::HandshakeFailed;
use crate::peer::{Peer, Token};
use crate::sync::Mutex;

/// NACKs that wait to be polled at the most; the oldest are dropped, or a client could fill the memory with them.
const MAX_NACKS: usize = 1024;

/// The same for what is told to be logged and counted elsewhere; the newest are dropped.
const MAX_NOTICES: usize = 256;

/// So many holes in the queue are left until they are more than the events.
const FEW_HOLES: usize = 1024;

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
    /// A client calls a method that Python answers, with [`crate::Server::reply`] or [`crate::Server::refuse`].
    Call(Box<Call>),
    /// A connection was not served.
    HandshakeFailed(HandshakeFailed),
    /// A stream that was reported as opened ended.
    Closed {
        /// Identity of the stream.
        stream: u64,
    },
    /// A client met a limit. Told once in a while for each limit.
    Limited {
        /// Name of the limit.
        limit: &'static str,
        /// Whether the client has to wait; else it is refused.
        delayed: bool,
        /// How often it was met since it was last told.
        count: u64,
        /// Address of the client that met it last.
        peer: Arc<str>,
    },
    /// The engine has a fault: a stream panicked, and was ended.
    Panicked {
        /// Address of the client.
        peer: Arc<str>,
        /// What the panic said, and where it was.
        fault: Fault,
    },
}

/// Something that begins with one event and ends with another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Span {
    Stream(u64),
    Demand(DemandKey),
}

impl Event {
    fn begins(&self) -> Option<Span> {
        match self {
            Event::Opened { stream, .. } => Some(Span::Stream(*stream)),
            Event::Demand(key) => Some(Span::Demand(key.clone())),
            _ => None,
        }
    }

    fn ends(&self) -> Option<Span> {
        match self {
            Event::Closed { stream } => Some(Span::Stream(*stream)),
            Event::Withdrawn(key) => Some(Span::Demand(key.clone())),
            _ => None,
        }
    }

    fn is_nack(&self) -> bool {
        matches!(self, Event::Nack { .. })
    }

    fn is_notice(&self) -> bool {
        matches!(self, Event::Limited { .. } | Event::Panicked { .. } | Event::HandshakeFailed(_))
    }
}

/// Events in order. What began and ended between two polls leaves nothing: however slow Python is, the queue has no more
/// than the streams and the names that are there now, and the ends of those that Python knows.
#[derive(Default)]
struct Queue {
    /// An event that is no longer told leaves a hole.
    events: VecDeque<Option<Event>>,
    /// Where the beginnings stand.
    begun: HashMap<Span, usize>,
    holes: usize,
    nacks: usize,
    notices: usize,
}

impl Queue {
    fn push(&mut self, event: Event) {
        if let Some(place) = event.ends().and_then(|span| self.begun.remove(&span)) {
            self.remove(place);
            return;
        }
        if event.is_notice() {
            if self.notices == MAX_NOTICES {
                return;
            }
            self.notices += 1;
        }
        if event.is_nack() {
            if self.nacks == MAX_NACKS {
                let oldest = self.events.iter().position(|event| event.as_ref().is_some_and(Event::is_nack));
                oldest.into_iter().for_each(|place| self.remove(place));
            } else {
                self.nacks += 1;
            }
        }
        if let Some(span) = event.begins() {
            self.begun.insert(span, self.events.len());
        }
        self.events.push_back(Some(event));
    }

    fn remove(&mut self, place: usize) {
        self.events[place] = None;
        self.holes += 1;
        if self.holes == self.events.len() || self.holes > FEW_HOLES.max(self.events.len() / 2) {
            self.events.retain(Option::is_some);
            self.holes = 0;
            let begun = self.events.iter().enumerate().filter_map(|(place, event)| {
                let span = event.as_ref()?.begins()?;
                Some((span, place))
            });
            self.begun = begun.collect();
        }
    }
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

    #[cfg(all(test, feature = "shuttle"))]
    pub(crate) fn signal(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }

    pub(crate) fn push(&self, event: Event) {
        let mut queue = self.queue.lock();
        let was_empty = queue.events.is_empty();
        queue.push(event);
        match (was_empty, queue.events.is_empty()) {
            // Fails only when the counter would overflow, and then it is readable already.
            (true, false) => drop(rustix::io::write(self.signal.as_fd(), &1u64.to_ne_bytes())),
            (false, true) => drop(rustix::io::read(self.signal.as_fd(), &mut [0u8; 8])),
            _ => {}
        }
    }

    pub(crate) fn poll(&self) -> VecDeque<Event> {
        let queue = {
            let mut queue = self.queue.lock();
            let _ = rustix::io::read(self.signal.as_fd(), &mut [0u8; 8]);
            std::mem::take(&mut *queue)
        };
        queue.events.into_iter().flatten().collect()
    }

    /// How many wait to be polled.
    pub(crate) fn len(&self) -> usize {
        let queue = self.queue.lock();
        queue.events.len() - queue.holes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> DemandKey {
        DemandKey { type_id: TypeId::Cluster, name: name.into(), audience: "".into() }
    }

    fn opened(stream: u64) -> Event {
        let peer = Peer { address: "".into(), certificate: Arc::default(), local: false };
        Event::Opened { stream, peer: Arc::new(peer), token: Token::default(), node: Bytes::new() }
    }

    /// A letter for each event.
    fn told(events: &Events) -> String {
        let letter = |event| match event {
            Event::Opened { stream, .. } => format!("+{stream} "),
            Event::Closed { stream } => format!("-{stream} "),
            Event::Demand(key) => format!("+{} ", key.name),
            Event::Withdrawn(key) => format!("-{} ", key.name),
            Event::Nack { .. } => "nack ".into(),
            Event::Limited { count, .. } => format!("limit{count} "),
            Event::Panicked { .. } | Event::HandshakeFailed(_) => "fault ".into(),
            Event::Call(_) => "call ".into(),
        };
        events.poll().into_iter().map(letter).collect()
    }

    #[test]
    fn what_comes_and_goes_between_two_polls_is_not_told() {
        let events = Events::new().unwrap();
        events.push(opened(1));
        events.push(opened(2));
        events.push(Event::Demand(key("a")));
        events.push(Event::Closed { stream: 1 });
        events.push(Event::Demand(key("b")));
        events.push(Event::Withdrawn(key("a")));
        assert_eq!((events.len(), told(&events).as_str()), (2, "+2 +b "));
        events.push(Event::Withdrawn(key("b")));
        events.push(Event::Demand(key("b")));
        events.push(Event::Closed { stream: 2 });
        assert_eq!(told(&events), "-b +b -2 ", "what Python knows is told to the end");
        events.push(opened(3));
        events.push(Event::Closed { stream: 3 });
        let unread = rustix::io::read(events.signal.as_fd(), &mut [0u8; 8]);
        assert_eq!(unread, Err(rustix::io::Errno::AGAIN), "nothing is left to be polled");
    }

    #[test]
    fn a_storm_that_is_not_polled_takes_no_memory() {
        let events = Events::new().unwrap();
        events.push(opened(0));
        for stream in 1..100_000 {
            events.push(opened(stream));
            events.push(Event::Closed { stream });
        }
        events.push(Event::Closed { stream: 0 });
        events.push(opened(7));
        let queue = events.queue.lock();
        assert!(queue.events.len() <= FEW_HOLES + 3, "{} places", queue.events.len());
        assert_eq!(queue.begun.len(), 1);
        drop(queue);
        assert_eq!(told(&events), "+7 ");
    }

    #[test]
    fn notices_that_nobody_polls_are_dropped() {
        let events = Events::new().unwrap();
        for count in 0..2 * MAX_NOTICES as u64 {
            events.push(Event::Limited { limit: "", delayed: false, count, peer: "".into() });
        }
        assert_eq!(events.poll().len(), MAX_NOTICES);
    }
}
