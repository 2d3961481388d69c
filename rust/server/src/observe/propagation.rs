//! How far changes of the cluster have reached the clients. Each shard counts its own streams, without locks.

use std::collections::BTreeMap;
use std::time::Duration;

use steerway_engine::{DeliveryState, DeliveryUpdate};

/// Changes that are kept: the newest.
const KEPT_CHANGES: usize = 4096;

/// Number of clients by what became of a change, and the first and last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeliveryCounts {
    sent: u64,
    /// By [`DeliveryState`].
    states: [u64; 4],
    first_sent: Option<Duration>,
    last_acked: Option<Duration>,
}

/// How far a change has reached the clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePropagation {
    /// Id of the change.
    pub change: u64,
    /// Streams that were sent a response with it. Each is in one of the following states.
    pub sent: u64,
    /// Streams that accepted all that they were sent.
    pub acked: u64,
    /// Streams that rejected a response with it.
    pub nacked: u64,
    /// Streams that have not answered yet.
    pub pending: u64,
    /// Streams that ended without an answer.
    pub ended: u64,
    /// Time from the publication until it was sent first.
    pub first_sent: Option<Duration>,
    /// Time from the publication until the last ACK so far.
    pub last_acked: Option<Duration>,
}

/// A value for each of the newest changes.
#[derive(Debug)]
struct Newest<T>(BTreeMap<u64, T>);

impl<T> Default for Newest<T> {
    fn default() -> Newest<T> {
        Newest(BTreeMap::new())
    }
}

impl<T> Newest<T> {
    /// The value of a change; `None`: it is too old.
    fn entry(&mut self, change: u64, new: impl FnOnce() -> T) -> Option<&mut T> {
        if !self.0.contains_key(&change) {
            let is_full = self.0.len() == KEPT_CHANGES;
            if is_full && self.0.first_key_value().is_some_and(|(oldest, _)| change < *oldest) {
                return None;
            }
            if is_full {
                self.0.pop_first();
            }
            self.0.insert(change, new());
        }
        self.0.get_mut(&change)
    }
}

/// The counts of one shard.
#[derive(Debug, Default)]
pub(crate) struct DeliveryTable(Newest<DeliveryCounts>);

impl DeliveryTable {
    /// Count what became of a change at `now`.
    pub(crate) fn count(&mut self, update: DeliveryUpdate, now: Duration) {
        let counts = match update.from {
            None => self.0.entry(update.change, DeliveryCounts::default),
            Some(_) => self.0.0.get_mut(&update.change),
        };
        let Some(counts) = counts else { return };
        match update.from {
            None => {
                counts.sent += 1;
                counts.first_sent.get_or_insert(now);
            }
            Some(from) => counts.states[from as usize] = counts.states[from as usize].saturating_sub(1),
        }
        counts.states[update.to as usize] += 1;
        if update.to == DeliveryState::Acked {
            counts.last_acked = Some(now);
        }
    }

    /// The counts of these changes, without those that are unknown.
    pub(crate) fn read(&self, changes: &[u64]) -> Vec<(u64, DeliveryCounts)> {
        changes.iter().filter_map(|change| Some((*change, *self.0.0.get(change)?))).collect()
    }
}

/// When changes were published.
#[derive(Debug, Default)]
pub(crate) struct PublishedChanges(Newest<Duration>);

impl PublishedChanges {
    /// The first publication of a change counts.
    pub(crate) fn insert(&mut self, change: u64, now: Duration) {
        self.0.entry(change, || now);
    }

    /// When these changes were published, without those that are unknown.
    pub(crate) fn read(&self, changes: &[u64]) -> BTreeMap<u64, Duration> {
        changes.iter().filter_map(|change| Some((*change, *self.0.0.get(change)?))).collect()
    }
}

/// The counts of all shards for each of the `published` changes.
pub(crate) fn propagations(
    published: BTreeMap<u64, Duration>,
    parts: impl Iterator<Item = (u64, DeliveryCounts)>,
) -> Vec<ChangePropagation> {
    let mut sums: BTreeMap<u64, DeliveryCounts> = BTreeMap::new();
    parts.for_each(|(change, part)| sums.entry(change).or_default().merge(part));
    let rows = published.into_iter();
    rows.map(|(change, at)| sums.remove(&change).unwrap_or_default().propagation(change, at)).collect()
}

impl DeliveryCounts {
    /// Add those of another shard.
    fn merge(&mut self, other: DeliveryCounts) {
        self.sent += other.sent;
        self.states.iter_mut().zip(other.states).for_each(|(count, more)| *count += more);
        self.first_sent = self.first_sent.into_iter().chain(other.first_sent).min();
        self.last_acked = self.last_acked.max(other.last_acked);
    }

    /// The counts of a change that was published at `published`.
    fn propagation(self, change: u64, published: Duration) -> ChangePropagation {
        let since = |at: Duration| at.saturating_sub(published);
        let state = |state: DeliveryState| self.states[state as usize];
        ChangePropagation {
            change,
            sent: self.sent,
            acked: state(DeliveryState::Acked),
            nacked: state(DeliveryState::Nacked),
            pending: state(DeliveryState::Pending),
            ended: state(DeliveryState::Ended),
            first_sent: self.first_sent.map(since),
            last_acked: self.last_acked.map(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryState::{Acked, Ended, Nacked, Pending};

    const AT: fn(u64) -> Duration = Duration::from_secs;

    fn count(
        table: &mut DeliveryTable,
        change: u64,
        from: Option<DeliveryState>,
        to: DeliveryState,
        at: u64,
    ) {
        table.count(DeliveryUpdate { change, from, to }, AT(at));
    }

    #[test]
    fn each_stream_is_in_one_state() {
        let mut table = DeliveryTable::default();
        (0..4).for_each(|_| count(&mut table, 7, None, Pending, 11));
        for (to, at) in [(Acked, 12), (Acked, 14), (Nacked, 15), (Ended, 16)] {
            count(&mut table, 7, Some(Pending), to, at);
        }
        count(&mut table, 7, None, Pending, 20);
        let (_, counts) = table.read(&[6, 7])[0];
        let (first_sent, last_acked) = (Some(AT(1)), Some(AT(4)));
        let expected = ChangePropagation {
            change: 7,
            sent: 5,
            acked: 2,
            nacked: 1,
            pending: 1,
            ended: 1,
            first_sent,
            last_acked,
        };
        assert_eq!(counts.propagation(7, AT(10)), expected);
        let mut sum = DeliveryCounts::default();
        sum.merge(counts);
        sum.merge(DeliveryCounts { sent: 1, first_sent: Some(AT(10)), ..DeliveryCounts::default() });
        let sum = sum.propagation(7, AT(10));
        assert_eq!((sum.sent, sum.acked, sum.first_sent, sum.last_acked), (6, 2, Some(AT(0)), last_acked));
    }

    #[test]
    fn the_newest_changes_are_kept() {
        let (mut table, mut published) = (DeliveryTable::default(), PublishedChanges::default());
        let newest = KEPT_CHANGES as u64 + 3;
        for change in 1..=newest {
            published.insert(change, AT(change));
            count(&mut table, change, None, Pending, change);
        }
        published.insert(newest, AT(0));
        // Too late, and too old.
        count(&mut table, 1, Some(Pending), Acked, 1);
        count(&mut table, 2, None, Pending, 2);
        assert_eq!(table.read(&[1, 2, 3, 4, newest]).len(), 2);
        let known = published.read(&[1, 2, 3, 4, newest, newest + 1]);
        assert_eq!(
            known.iter().map(|(change, at)| (*change, *at)).collect::<Vec<_>>(),
            [(4, AT(4)), (newest, AT(newest))]
        );
    }
}
