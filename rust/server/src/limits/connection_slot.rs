//! Slots of connections: a number of all, and a number per peer address.
//!
//! A connection is *pending* until one of its streams is admitted. When no slot is left, a pending connection is
//! evicted: the oldest of the peer that has most of them, if the peer of the new connection still has fewer afterwards.
//! So a peer that opens connections and sends nothing evicts its own, and a new client of another peer finds a slot;
//! but clients that all wait for admission do not evict each other. Admitted connections are never evicted.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::limits::limit::Limit;
use crate::net::peer::PeerKey;
use crate::sync::Mutex;

/// The slots of a server.
pub(crate) struct ConnectionSlots {
    limit: usize,
    per_address: Option<usize>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    used: usize,
    last_number: u64,
    peers: HashMap<PeerKey, Connections>,
    /// Peers with pending connections, the one with most of them last; among equals the one with the oldest.
    pending_ranks: BTreeSet<PendingRank>,
}

/// Number of pending connections of a peer, number of the oldest, the peer.
type PendingRank = (usize, Reverse<u64>, PeerKey);

/// The connections of one peer.
#[derive(Default)]
struct Connections {
    count: usize,
    /// By number: the oldest comes first.
    pending: BTreeMap<u64, Pending>,
}

struct Pending {
    address: Arc<str>,
    evict: oneshot::Sender<()>,
}

/// A connection that was closed because no slot was left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClosedConnection {
    /// The limit that was reached.
    pub(crate) limit: Limit,
    /// Address of the connection that is closed.
    pub(crate) address: Arc<str>,
}

/// A slot in use. Dropping it releases it.
pub(crate) struct ConnectionSlot {
    slots: Arc<ConnectionSlots>,
    peer: PeerKey,
    number: u64,
    admitted: Cell<bool>,
}

/// A slot, and the signal of its eviction.
pub(crate) type SlotGrant = (ConnectionSlot, Eviction);

/// Resolves when the slot is evicted; an error when it can no longer be.
pub(crate) type Eviction = oneshot::Receiver<()>;

impl ConnectionSlots {
    /// `limit` connections at a time, `per_address` of one peer; 0 is no limit per peer.
    pub(crate) fn new(limit: usize, per_address: usize) -> Arc<ConnectionSlots> {
        let per_address = Some(per_address).filter(|limit| *limit > 0);
        Arc::new(ConnectionSlots { limit, per_address, table: Mutex::default() })
    }

    /// Slots in use.
    pub(crate) fn used(&self) -> usize {
        self.table.lock().used
    }

    /// Take a slot for a new connection, which is pending. Also returns the connection that was closed for it: another
    /// one, or, without a slot, this one.
    pub(crate) fn take(
        self: &Arc<ConnectionSlots>,
        peer: PeerKey,
        address: &Arc<str>,
    ) -> (Option<SlotGrant>, Option<ClosedConnection>) {
        let mut table = self.table.lock();
        let of_peer = table.peers.get(&peer).map_or(0, |connections| connections.count);
        let (limit, rank) = if self.per_address.is_some_and(|limit| of_peer >= limit) {
            (Limit::ConnectionsPerAddress, Some(peer))
        } else if table.used >= self.limit {
            (Limit::Connections, table.peer_to_evict_for(peer))
        } else {
            return (Some(self.insert(&mut table, peer, address)), None);
        };
        match rank.and_then(|peer| table.evict(peer)) {
            Some(evicted) => {
                let closed = ClosedConnection { limit, address: evicted };
                (Some(self.insert(&mut table, peer, address)), Some(closed))
            }
            None => (None, Some(ClosedConnection { limit, address: Arc::clone(address) })),
        }
    }

    fn insert(
        self: &Arc<ConnectionSlots>,
        table: &mut Table,
        peer: PeerKey,
        address: &Arc<str>,
    ) -> SlotGrant {
        let (evict, evicted) = oneshot::channel();
        table.used += 1;
        table.last_number += 1;
        let number = table.last_number;
        table.change(peer, |connections| {
            connections.count += 1;
            connections.pending.insert(number, Pending { address: Arc::clone(address), evict });
        });
        (ConnectionSlot { slots: Arc::clone(self), peer, number, admitted: Cell::new(false) }, evicted)
    }
}

impl Table {
    /// Change the connections of a peer, and update its rank.
    fn change<T>(&mut self, peer: PeerKey, change: impl FnOnce(&mut Connections) -> T) -> T {
        let connections = self.peers.entry(peer).or_default();
        if let Some(rank) = connections.rank(peer) {
            self.pending_ranks.remove(&rank);
        }
        let result = change(connections);
        self.pending_ranks.extend(connections.rank(peer));
        if connections.count == 0 {
            self.peers.remove(&peer);
        }
        result
    }

    /// The peer whose connection is evicted for another one of `peer`.
    fn peer_to_evict_for(&self, peer: PeerKey) -> Option<PeerKey> {
        let (most, _, rank) = *self.pending_ranks.last()?;
        let own = self.peers.get(&peer).map_or(0, |connections| connections.pending.len());
        (rank == peer || most > own + 1).then_some(rank)
    }

    /// Close the oldest pending connection of a peer. Returns its address.
    fn evict(&mut self, peer: PeerKey) -> Option<Arc<str>> {
        let pending = self.change(peer, |connections| {
            let (_, pending) = connections.pending.pop_first()?;
            connections.count -= 1;
            Some(pending)
        })?;
        self.used -= 1;
        // Fails only when the connection ends at this moment.
        let _ = pending.evict.send(());
        Some(pending.address)
    }
}

impl Connections {
    fn rank(&self, peer: PeerKey) -> Option<PendingRank> {
        let (oldest, _) = self.pending.first_key_value()?;
        Some((self.pending.len(), Reverse(*oldest), peer))
    }
}

impl ConnectionSlot {
    /// A stream of the connection was admitted: it can no longer be evicted.
    pub(crate) fn admit(&self) {
        if self.admitted.get() {
            return;
        }
        let mut table = self.slots.table.lock();
        let pending = table.change(self.peer, |connections| connections.pending.remove(&self.number));
        self.admitted.set(pending.is_some());
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let (number, admitted) = (self.number, self.admitted.get());
        let mut table = self.slots.table.lock();
        let had_slot = table.change(self.peer, |connections| {
            // An evicted connection has no slot any more.
            let had_slot = admitted || connections.pending.remove(&number).is_some();
            connections.count -= usize::from(had_slot);
            had_slot
        });
        table.used -= usize::from(had_slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn peer(number: u8) -> PeerKey {
        PeerKey::Address(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, number)))
    }

    const A: PeerKey = peer(1);
    const B: PeerKey = peer(2);
    const C: PeerKey = peer(3);

    /// A connection: its slot, unless it was refused, and the connection that was closed for it.
    struct Opened {
        slot: Option<SlotGrant>,
        closed: Option<(Limit, String)>,
    }

    impl Opened {
        fn is_evicted(&mut self) -> bool {
            self.slot.as_mut().unwrap().1.try_recv().is_ok()
        }

        fn admit(&self) {
            self.slot.as_ref().unwrap().0.admit();
        }
    }

    fn open(slots: &Arc<ConnectionSlots>, peer: PeerKey, name: &str) -> Opened {
        let (slot, closed) = slots.take(peer, &name.into());
        Opened { slot, closed: closed.map(|closed| (closed.limit, closed.address.to_string())) }
    }

    fn closed(limit: Limit, name: &str) -> Option<(Limit, String)> {
        Some((limit, name.to_owned()))
    }

    #[test]
    fn a_new_connection_evicts_the_oldest_pending_one_of_the_peer_with_most() {
        let slots = ConnectionSlots::new(5, 0);
        let admitted = open(&slots, C, "c0");
        admitted.admit();
        let mut first: Vec<_> =
            [(B, "b1"), (A, "a1"), (A, "a2"), (B, "b2")].map(|(peer, name)| open(&slots, peer, name)).into();
        assert!(first.iter().all(|opened| opened.closed.is_none()));
        // Of two peers with two each, the one with the oldest.
        assert_eq!(open(&slots, C, "c1").closed, closed(Limit::Connections, "b1"));
        let evicted: Vec<bool> = first.iter_mut().map(Opened::is_evicted).collect();
        assert_eq!(evicted, [true, false, false, false]);
        assert_eq!(slots.used(), 4, "the newcomer has gone again");
        let _again = open(&slots, C, "c2");
        assert_eq!(open(&slots, C, "c3").closed, closed(Limit::Connections, "c3"), "A would have fewer then");
        assert_eq!(open(&slots, A, "a3").closed, closed(Limit::Connections, "a1"), "its own");
    }

    #[test]
    fn peers_with_equal_numbers_do_not_evict_each_other() {
        let slots = ConnectionSlots::new(2, 0);
        let mut waiting = [open(&slots, A, "a"), open(&slots, B, "b")];
        let refused = open(&slots, C, "c");
        assert_eq!((refused.slot.is_none(), refused.closed), (true, closed(Limit::Connections, "c")));
        assert!(waiting.iter_mut().all(|opened| !opened.is_evicted()));
    }

    #[test]
    fn a_silent_peer_evicts_its_own_connections() {
        let slots = ConnectionSlots::new(10, 0);
        let mut honest = open(&slots, A, "honest");
        let silent: Vec<_> = (0..100).map(|number| open(&slots, B, &number.to_string())).collect();
        let closed_last = silent.iter().filter_map(|opened| opened.closed.clone());
        let closed_last: Vec<_> = closed_last.map(|(_, name)| name).collect();
        assert_eq!(closed_last, (0..91).map(|number| number.to_string()).collect::<Vec<_>>());
        assert!(!honest.is_evicted());
        assert_eq!(slots.used(), 10);
        drop((honest, silent));
        assert_eq!(slots.used(), 0, "an evicted connection releases nothing");
        assert!(slots.table.lock().peers.is_empty() && slots.table.lock().pending_ranks.is_empty());
    }

    #[test]
    fn an_admitted_connection_is_never_evicted() {
        let slots = ConnectionSlots::new(2, 0);
        let mut first = [open(&slots, A, "a1"), open(&slots, A, "a2")];
        first.iter().for_each(Opened::admit);
        let refused = open(&slots, B, "b1");
        assert!(refused.slot.is_none());
        assert_eq!(refused.closed, closed(Limit::Connections, "b1"));
        assert!(!first[0].is_evicted() && !first[1].is_evicted());
        drop(first);
        assert_eq!(slots.used(), 0);
        let evicted = open(&slots, A, "a3");
        let _others = [open(&slots, A, "a4"), open(&slots, B, "b2")];
        evicted.admit();
        drop(evicted);
        assert_eq!(slots.used(), 2, "its slot was another's when it was admitted");
    }

    #[test]
    fn the_number_of_connections_per_peer_is_bounded() {
        for peer in [A, PeerKey::User(Some(1000)), PeerKey::User(None)] {
            let slots = ConnectionSlots::new(10, 2);
            let (first, second) = (open(&slots, peer, "1"), open(&slots, peer, "2"));
            assert_eq!(open(&slots, peer, "3").closed, closed(Limit::ConnectionsPerAddress, "1"));
            second.admit();
            let third = open(&slots, peer, "4");
            third.admit();
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
    fn users_and_addresses_are_different_peers() {
        let slots = ConnectionSlots::new(10, 1);
        let peers = [A, B, PeerKey::User(Some(0)), PeerKey::User(Some(1000)), PeerKey::User(None)];
        let opened: Vec<_> = peers.map(|peer| open(&slots, peer, "one")).into();
        assert!(opened.iter().all(|opened| opened.closed.is_none()));
    }
}
