//! Which connections may be open: so many at a time, and so many of one peer address.
//!
//! A connection is *pending* until one of its streams is admitted: until then a client has shown nothing and asked for
//! nothing that is served. Where no slot is left, a pending connection makes room: the oldest one of the peer that has
//! most of them, if that leaves it no fewer than the peer of the new one. So a peer that opens connections and stays silent
//! displaces its own, however many it opens, and a new client of another peer finds room; but clients that all wait to be
//! admitted do not displace each other in turn. What was admitted is never displaced.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::limits::limit::Limit;
use crate::sync::Mutex;

/// What connections are counted by.
///
/// An IPv6 address counts whole: in Kubernetes the pods of a node share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PeerKey {
    /// Address of a TCP client, without its port.
    Address(IpAddr),
    /// User of the process at the other end of a Unix socket; `None` where the system does not name one.
    User(Option<u32>),
}

/// The slots of a server.
pub(crate) struct Slots {
    limit: usize,
    per_address: Option<usize>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    used: usize,
    last_number: u64,
    peers: HashMap<PeerKey, Connections>,
    /// Peers with pending connections, the one with most of them last; of equal ones that with the oldest.
    crowds: BTreeSet<Crowd>,
}

/// How many pending connections a peer has, the number of the oldest, the peer.
type Crowd = (usize, Reverse<u64>, PeerKey);

/// The connections of one peer.
#[derive(Default)]
struct Connections {
    count: usize,
    /// By number: the oldest comes first.
    pending: BTreeMap<u64, Pending>,
}

struct Pending {
    address: Arc<str>,
    displace: oneshot::Sender<()>,
}

/// A connection made room for another one, or there was no room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// The limit that was met.
    pub(crate) limit: Limit,
    /// Address of the connection that is closed.
    pub(crate) address: Arc<str>,
}

/// A slot that is taken. Dropping it gives it back.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    peer: PeerKey,
    number: u64,
    settled: Cell<bool>,
}

/// The slot of a connection, and what tells that it is lost.
pub(crate) type Held = (Slot, Displaced);

/// Resolves when the slot is needed for another connection; an error: that cannot happen any more.
pub(crate) type Displaced = oneshot::Receiver<()>;

impl Slots {
    /// `limit` connections at a time, `per_address` of one peer; 0 is no limit per peer.
    pub(crate) fn new(limit: usize, per_address: usize) -> Arc<Slots> {
        let per_address = Some(per_address).filter(|limit| *limit > 0);
        Arc::new(Slots { limit, per_address, table: Mutex::default() })
    }

    /// Slots that are taken.
    pub(crate) fn used(&self) -> usize {
        self.table.lock().used
    }

    /// Take a slot for a new connection, which is pending. Also returns what was closed for it: another connection,
    /// or, without a slot, this one.
    pub(crate) fn take(
        self: &Arc<Slots>,
        peer: PeerKey,
        address: &Arc<str>,
    ) -> (Option<Held>, Option<Closed>) {
        let mut table = self.table.lock();
        let of_peer = table.peers.get(&peer).map_or(0, |connections| connections.count);
        let (limit, crowd) = if self.per_address.is_some_and(|limit| of_peer >= limit) {
            (Limit::ConnectionsPerAddress, Some(peer))
        } else if table.used >= self.limit {
            (Limit::Connections, table.crowd_for(peer))
        } else {
            return (Some(self.fill(&mut table, peer, address)), None);
        };
        match crowd.and_then(|peer| table.displace(peer)) {
            Some(displaced) => {
                let closed = Closed { limit, address: displaced };
                (Some(self.fill(&mut table, peer, address)), Some(closed))
            }
            None => (None, Some(Closed { limit, address: Arc::clone(address) })),
        }
    }

    fn fill(self: &Arc<Slots>, table: &mut Table, peer: PeerKey, address: &Arc<str>) -> Held {
        let (displace, displaced) = oneshot::channel();
        table.used += 1;
        table.last_number += 1;
        let number = table.last_number;
        table.change(peer, |connections| {
            connections.count += 1;
            connections.pending.insert(number, Pending { address: Arc::clone(address), displace });
        });
        (Slot { slots: Arc::clone(self), peer, number, settled: Cell::new(false) }, displaced)
    }
}

impl Table {
    /// Change the connections of a peer, and keep what is known of it in step.
    fn change<T>(&mut self, peer: PeerKey, change: impl FnOnce(&mut Connections) -> T) -> T {
        let connections = self.peers.entry(peer).or_default();
        if let Some(crowd) = connections.crowd(peer) {
            self.crowds.remove(&crowd);
        }
        let result = change(connections);
        self.crowds.extend(connections.crowd(peer));
        if connections.count == 0 {
            self.peers.remove(&peer);
        }
        result
    }

    /// The peer that makes room for another connection of `peer`.
    fn crowd_for(&self, peer: PeerKey) -> Option<PeerKey> {
        let (most, _, crowd) = *self.crowds.last()?;
        let own = self.peers.get(&peer).map_or(0, |connections| connections.pending.len());
        (crowd == peer || most > own + 1).then_some(crowd)
    }

    /// Close the oldest pending connection of a peer. Returns its address.
    fn displace(&mut self, peer: PeerKey) -> Option<Arc<str>> {
        let pending = self.change(peer, |connections| {
            let (_, pending) = connections.pending.pop_first()?;
            connections.count -= 1;
            Some(pending)
        })?;
        self.used -= 1;
        // Fails only when the connection ends just now.
        let _ = pending.displace.send(());
        Some(pending.address)
    }
}

impl Connections {
    fn crowd(&self, peer: PeerKey) -> Option<Crowd> {
        let (oldest, _) = self.pending.first_key_value()?;
        Some((self.pending.len(), Reverse(*oldest), peer))
    }
}

impl Slot {
    /// A stream of the connection was admitted: it is not displaced any more.
    pub(crate) fn settle(&self) {
        if self.settled.get() {
            return;
        }
        let mut table = self.slots.table.lock();
        let pending = table.change(self.peer, |connections| connections.pending.remove(&self.number));
        self.settled.set(pending.is_some());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (number, settled) = (self.number, self.settled.get());
        let mut table = self.slots.table.lock();
        let held = table.change(self.peer, |connections| {
            // One that was displaced has no slot any more.
            let held = settled || connections.pending.remove(&number).is_some();
            connections.count -= usize::from(held);
            held
        });
        table.used -= usize::from(held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn peer(number: u8) -> PeerKey {
        PeerKey::Address(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, number)))
    }

    const A: PeerKey = peer(1);
    const B: PeerKey = peer(2);
    const C: PeerKey = peer(3);

    /// A connection: its slot, unless it was refused, and the one that was closed for it.
    struct Opened {
        slot: Option<Held>,
        closed: Option<(Limit, String)>,
    }

    impl Opened {
        fn is_displaced(&mut self) -> bool {
            self.slot.as_mut().unwrap().1.try_recv().is_ok()
        }

        fn settle(&self) {
            self.slot.as_ref().unwrap().0.settle();
        }
    }

    fn open(slots: &Arc<Slots>, peer: PeerKey, name: &str) -> Opened {
        let (slot, closed) = slots.take(peer, &name.into());
        Opened { slot, closed: closed.map(|closed| (closed.limit, closed.address.to_string())) }
    }

    fn closed(limit: Limit, name: &str) -> Option<(Limit, String)> {
        Some((limit, name.to_owned()))
    }

    #[test]
    fn a_connection_too_many_displaces_the_oldest_pending_one_of_the_peer_with_most() {
        let slots = Slots::new(5, 0);
        let settled = open(&slots, C, "c0");
        settled.settle();
        let mut first: Vec<_> =
            [(B, "b1"), (A, "a1"), (A, "a2"), (B, "b2")].map(|(peer, name)| open(&slots, peer, name)).into();
        assert!(first.iter().all(|opened| opened.closed.is_none()));
        // Of two peers with two each that with the oldest one.
        assert_eq!(open(&slots, C, "c1").closed, closed(Limit::Connections, "b1"));
        let displaced: Vec<bool> = first.iter_mut().map(Opened::is_displaced).collect();
        assert_eq!(displaced, [true, false, false, false]);
        assert_eq!(slots.used(), 4, "the newcomer has gone again");
        let _again = open(&slots, C, "c2");
        assert_eq!(open(&slots, C, "c3").closed, closed(Limit::Connections, "c3"), "A would have fewer then");
        assert_eq!(open(&slots, A, "a3").closed, closed(Limit::Connections, "a1"), "its own");
    }

    #[test]
    fn equals_do_not_displace_each_other() {
        let slots = Slots::new(2, 0);
        let mut waiting = [open(&slots, A, "a"), open(&slots, B, "b")];
        let refused = open(&slots, C, "c");
        assert_eq!((refused.slot.is_none(), refused.closed), (true, closed(Limit::Connections, "c")));
        assert!(waiting.iter_mut().all(|opened| !opened.is_displaced()));
    }

    #[test]
    fn a_silent_peer_displaces_its_own() {
        let slots = Slots::new(10, 0);
        let mut honest = open(&slots, A, "honest");
        let silent: Vec<_> = (0..100).map(|number| open(&slots, B, &number.to_string())).collect();
        let closed_last = silent.iter().filter_map(|opened| opened.closed.clone());
        let closed_last: Vec<_> = closed_last.map(|(_, name)| name).collect();
        assert_eq!(closed_last, (0..91).map(|number| number.to_string()).collect::<Vec<_>>());
        assert!(!honest.is_displaced());
        assert_eq!(slots.used(), 10);
        drop((honest, silent));
        assert_eq!(slots.used(), 0, "who was displaced gives back nothing");
        assert!(slots.table.lock().peers.is_empty() && slots.table.lock().crowds.is_empty());
    }

    #[test]
    fn what_was_admitted_stays() {
        let slots = Slots::new(2, 0);
        let mut first = [open(&slots, A, "a1"), open(&slots, A, "a2")];
        first.iter().for_each(Opened::settle);
        let refused = open(&slots, B, "b1");
        assert!(refused.slot.is_none());
        assert_eq!(refused.closed, closed(Limit::Connections, "b1"));
        assert!(!first[0].is_displaced() && !first[1].is_displaced());
        drop(first);
        assert_eq!(slots.used(), 0);
        let displaced = open(&slots, A, "a3");
        let _others = [open(&slots, A, "a4"), open(&slots, B, "b2")];
        displaced.settle();
        drop(displaced);
        assert_eq!(slots.used(), 2, "its slot was another's when it was admitted");
    }

    #[test]
    fn a_peer_has_so_many_and_no_more() {
        for peer in [A, PeerKey::User(Some(1000)), PeerKey::User(None)] {
            let slots = Slots::new(10, 2);
            let (first, second) = (open(&slots, peer, "1"), open(&slots, peer, "2"));
            assert_eq!(open(&slots, peer, "3").closed, closed(Limit::ConnectionsPerAddress, "1"));
            second.settle();
            let third = open(&slots, peer, "4");
            third.settle();
            let refused = open(&slots, peer, "5");
            assert_eq!(
                (refused.slot.is_none(), refused.closed),
                (true, closed(Limit::ConnectionsPerAddress, "5"))
            );
            assert_eq!(open(&slots, B, "b").closed, None, "others have their own");
            drop((first, second));
            assert_eq!(open(&slots, peer, "6").closed, None);
        }
    }

    #[test]
    fn users_are_told_apart_and_from_addresses() {
        let slots = Slots::new(10, 1);
        let peers = [A, B, PeerKey::User(Some(0)), PeerKey::User(Some(1000)), PeerKey::User(None)];
        let opened: Vec<_> = peers.map(|peer| open(&slots, peer, "one")).into();
        assert!(opened.iter().all(|opened| opened.closed.is_none()));
    }
}
