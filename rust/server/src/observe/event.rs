//! Events for Python: a queue, and a file descriptor that is readable while it has events.

use std::collections::{HashMap, VecDeque};
#[cfg(all(test, feature = "shuttle"))]
use std::os::fd::BorrowedFd;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use bytes::Bytes;
use rustix::event::{EventfdFlags, eventfd};
use steerway_engine::{DemandEvent, DemandKey};

use crate::limits::client_key::ClientKey;
use crate::net::peer::{Peer, Token};
use crate::observe::call::Call;
use crate::observe::handshake::HandshakeFailed;
use crate::observe::nack::{NackQueue, NackReport};
use crate::observe::panic::PanicReport;
use crate::sync::Mutex;

/// Of events that are only logged; further ones are dropped, and the counters have them.
const MAX_NOTICES: usize = 256;

/// The queue is compacted when it has more holes than this and than half of its entries.
const MIN_HOLES: usize = 1024;

/// Something that happened on the engine's threads.
#[derive(Debug)]
pub enum Event {
    /// A stream sent its first request and waits for its audience.
    Opened {
        /// Id of the stream.
        stream: u64,
        /// The client.
        peer: Arc<Peer>,
        /// The bearer token of the stream.
        token: Token,
        /// The serialised Node.
        node: Bytes,
    },
    /// The first subscription to a name in an audience, and the id of the account that caused it.
    Demand(DemandKey, u32),
    /// The last subscription to a name ended, a grace time ago.
    Withdrawn(DemandKey),
    /// A client refused a response.
    Nack(Box<NackReport>),
    /// A call that Python answers, with [`crate::Server::reply`] or [`crate::Server::refuse`].
    Call(Box<Call>),
    /// A handshake failed.
    HandshakeFailed(HandshakeFailed),
    /// A stream that was reported as opened ended.
    Closed {
        /// Id of the stream.
        stream: u64,
    },
    /// A client reached a limit. Reported once per interval and limit.
    Limited {
        /// Name of the limit.
        limit: &'static str,
        /// Whether the client is delayed; otherwise it is refused.
        delayed: bool,
        /// How often the limit was reached since the last report.
        count: u64,
        /// Address of the last client that reached it.
        peer: Arc<str>,
    },
    /// A stream panicked and was ended.
    Panicked {
        /// Address of the client.
        peer: Arc<str>,
        /// Message and location of the panic.
        fault: PanicReport,
    },
}

impl From<DemandEvent> for Event {
    fn from(event: DemandEvent) -> Event {
        match event {
            DemandEvent::Added(key, account) => Event::Demand(key, account),
            DemandEvent::Withdrawn(key) => Event::Withdrawn(key),
        }
    }
}

impl Event {
    /// The stream that the event opens.
    fn opened_stream(&self) -> Option<u64> {
        match self {
            Event::Opened { stream, .. } => Some(*stream),
            _ => None,
        }
    }

    fn closed_stream(&self) -> Option<u64> {
        match self {
            Event::Closed { stream } => Some(*stream),
            _ => None,
        }
    }

    fn is_notice(&self) -> bool {
        matches!(self, Event::Limited { .. } | Event::Panicked { .. } | Event::HandshakeFailed(_))
    }
}

/// Events in order. Demand has its own queue, and NACKs have theirs. A stream that opened and closed between two polls
/// leaves no event: however slow Python polls, the queue is bounded by the open streams and those that Python knows.
#[derive(Default)]
struct Queue {
    /// A removed event leaves a hole.
    events: VecDeque<Option<Event>>,
    /// Index of the `Opened` of each stream.
    opened_at: HashMap<u64, usize>,
    holes: usize,
    nacks: NackQueue,
    notices: usize,
    /// Whether there is demand to poll.
    demand_pending: bool,
}

impl Queue {
    fn push(&mut self, event: Event) {
        if let Some(index) = event.closed_stream().and_then(|stream| self.opened_at.remove(&stream)) {
            self.remove(index);
            return;
        }
        if event.is_notice() {
            if self.notices == MAX_NOTICES {
                return;
            }
            self.notices += 1;
        }
        if let Some(stream) = event.opened_stream() {
            self.opened_at.insert(stream, self.events.len());
        }
        self.events.push_back(Some(event));
    }

    fn is_readable(&self) -> bool {
        self.demand_pending || !self.events.is_empty() || self.nacks.len() > 0
    }

    fn remove(&mut self, index: usize) {
        self.events[index] = None;
        self.holes += 1;
        if self.holes == self.events.len() || self.holes > MIN_HOLES.max(self.events.len() / 2) {
            self.events.retain(Option::is_some);
            self.holes = 0;
            let opened_at = self.events.iter().enumerate().filter_map(|(index, event)| {
                let stream = event.as_ref()?.opened_stream()?;
                Some((stream, index))
            });
            self.opened_at = opened_at.collect();
        }
    }
}

/// The queue: all threads push, one polls.
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
        self.update(|queue| queue.push(event));
    }

    /// A client refused a response.
    pub(crate) fn push_nack(&self, client: ClientKey, report: NackReport) {
        self.update(|queue| queue.nacks.push(client, report));
    }

    /// Whether there is demand to poll, for which the descriptor is readable as for events.
    pub(crate) fn set_demand_pending(&self, waits: bool) {
        self.update(|queue| queue.demand_pending = waits);
    }

    /// All events, NACKs first: Python classified their streams before, and their ends are in the queue. Afterwards the
    /// descriptor is readable as long as demand is pending.
    pub(crate) fn poll(&self, demand_pending: bool) -> Vec<Event> {
        let mut queue =
            self.update(|queue| std::mem::replace(queue, Queue { demand_pending, ..Queue::default() }));
        let nacks = queue.nacks.take().into_iter().map(|report| Event::Nack(Box::new(report)));
        nacks.chain(queue.events.into_iter().flatten()).collect()
    }

    /// Keeps the descriptor in step with the queue.
    fn update<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.queue.lock();
        let before = queue.is_readable();
        let result = change(&mut queue);
        match (before, queue.is_readable()) {
            // Fails only when the counter would overflow, and then it is readable already.
            (false, true) => drop(rustix::io::write(self.signal.as_fd(), &1u64.to_ne_bytes())),
            (true, false) => drop(rustix::io::read(self.signal.as_fd(), &mut [0u8; 8])),
            _ => {}
        }
        result
    }

    /// Events that were not polled.
    pub(crate) fn len(&self) -> usize {
        let queue = self.queue.lock();
        queue.events.len() - queue.holes + queue.nacks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::peer::Transport;

    fn opened(stream: u64) -> Event {
        let peer = Peer::new("", Transport::Plaintext);
        Event::Opened { stream, peer: Arc::new(peer), token: Token::default(), node: Bytes::new() }
    }

    /// A letter for each event.
    fn letters(events: &Events) -> String {
        let letter = |event| match event {
            Event::Opened { stream, .. } => format!("+{stream} "),
            Event::Closed { stream } => format!("-{stream} "),
            Event::Demand(..) | Event::Withdrawn(_) => unreachable!("demand has its own queue"),
            Event::Nack(_) => "nack ".into(),
            Event::Limited { count, .. } => format!("limit{count} "),
            Event::Panicked { .. } | Event::HandshakeFailed(_) => "fault ".into(),
            Event::Call(_) => "call ".into(),
        };
        events.poll(false).into_iter().map(letter).collect()
    }

    #[test]
    fn a_stream_that_opens_and_closes_between_two_polls_leaves_no_event() {
        let events = Events::new().unwrap();
        events.push(opened(1));
        events.push(opened(2));
        events.push(Event::Closed { stream: 1 });
        events.push(opened(3));
        assert_eq!((events.len(), letters(&events).as_str()), (2, "+2 +3 "));
        events.push(Event::Closed { stream: 2 });
        assert_eq!(letters(&events), "-2 ", "the end of a known stream is reported");
        events.push(opened(4));
        events.push(Event::Closed { stream: 4 });
        assert!(!is_readable(&events), "nothing is left to be polled");
    }

    #[test]
    fn it_is_readable_while_demand_is_pending() {
        let events = Events::new().unwrap();
        events.set_demand_pending(true);
        events.push(opened(1));
        events.push(Event::Closed { stream: 1 });
        assert!(is_readable(&events));
        events.poll(true);
        assert!(is_readable(&events));
        events.poll(false);
        assert!(!is_readable(&events));
    }

    fn is_readable(events: &Events) -> bool {
        // A successful read empties the counter.
        let read = rustix::io::read(events.signal.as_fd(), &mut [0u8; 8]).is_ok();
        if read {
            rustix::io::write(events.signal.as_fd(), &1u64.to_ne_bytes()).unwrap();
        }
        read
    }

    #[test]
    fn events_that_are_not_polled_are_bounded() {
        let events = Events::new().unwrap();
        events.push(opened(0));
        for stream in 1..100_000 {
            events.push(opened(stream));
            events.push(Event::Closed { stream });
        }
        events.push(Event::Closed { stream: 0 });
        events.push(opened(7));
        let queue = events.queue.lock();
        assert!(queue.events.len() <= MIN_HOLES + 3, "{} entries", queue.events.len());
        assert_eq!(queue.opened_at.len(), 1);
        drop(queue);
        assert_eq!(letters(&events), "+7 ");
    }

    #[test]
    fn notices_that_are_not_polled_are_dropped() {
        let events = Events::new().unwrap();
        for count in 0..2 * MAX_NOTICES as u64 {
            events.push(Event::Limited { limit: "", delayed: false, count, peer: "".into() });
        }
        assert_eq!(events.poll(false).len(), MAX_NOTICES);
    }
}
