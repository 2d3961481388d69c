//! The streams of a shard, summed up by label.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use steerway_engine::{Progress, SyncState, TypeId};

use crate::xds::scan::{StreamFilter, progress, scan};
use crate::xds::streams::Streams;

/// Number of streams in each state, by the order of [`SyncState`].
pub type StateCounts = [u64; SyncState::COUNT];

/// The streams of one label.
#[derive(Clone, Debug)]
pub struct Group {
    /// The label; "": streams without one.
    pub label: Arc<str>,
    /// Number of streams.
    pub streams: u64,
    /// By state.
    pub states: StateCounts,
    /// Age of the oldest response without an answer.
    pub oldest_unacked: Option<Duration>,
    /// Age of the oldest stream.
    pub oldest: Duration,
}

/// How far all clients are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    /// Subscriptions to names without a resource.
    pub(crate) absent: u64,
    /// When the oldest response without an answer was sent.
    pub(crate) oldest_unacked: Option<Duration>,
    /// Streams whose last answer of a type was a refusal, by [`TypeId::index`].
    pub(crate) refused: [u64; TypeId::COUNT],
}

/// The id and the state of each stream of the shard, by ascending id.
pub(crate) async fn states(streams: Rc<Streams>) -> Vec<(u64, SyncState)> {
    let mut states = Vec::with_capacity(streams.len());
    scan(&streams, &StreamFilter::default(), |stream| {
        states.push((stream.id, progress(&streams, stream).state));
    })
    .await;
    states
}

/// Groups by label.
#[derive(Debug, Default)]
pub(crate) struct Groups(HashMap<Arc<str>, Group>);

impl Groups {
    fn add(&mut self, part: Group) {
        match self.0.get_mut(&part.label) {
            Some(group) => {
                group.streams += part.streams;
                add_states(&mut group.states, part.states);
                group.oldest_unacked = group.oldest_unacked.max(part.oldest_unacked);
                group.oldest = group.oldest.max(part.oldest);
            }
            None => drop(self.0.insert(Arc::clone(&part.label), part)),
        }
    }

    /// Add those of other streams.
    pub(crate) fn merge(mut self, other: Groups) -> Groups {
        other.0.into_values().for_each(|group| self.add(group));
        self
    }

    /// All groups, by label.
    pub(crate) fn into_sorted(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.0.into_values().collect();
        groups.sort_unstable_by(|left, right| left.label.cmp(&right.label));
        groups
    }
}

/// The groups of the shard's streams.
pub(crate) async fn groups(streams: Rc<Streams>) -> Groups {
    let mut groups = Groups::default();
    let now = streams.shard.shared.now();
    scan(&streams, &StreamFilter::default(), |stream| {
        let Progress { state, oldest_unacked, .. } = progress(&streams, stream);
        groups.add(Group {
            label: Arc::clone(&stream.label.borrow()),
            streams: 1,
            states: count_of(state),
            oldest_unacked: oldest_unacked.map(|sent| now.saturating_sub(sent)),
            oldest: now.saturating_sub(stream.opened),
        });
    })
    .await;
    groups
}

/// The sums over the shard's streams.
pub(crate) async fn totals(streams: Rc<Streams>) -> Totals {
    let mut totals = Totals::default();
    scan(&streams, &StreamFilter::default(), |stream| {
        let Progress { oldest_unacked, absent, refused, .. } = progress(&streams, stream);
        let refused = refused.map(u64::from);
        totals = std::mem::take(&mut totals).merge(Totals { absent: absent as u64, oldest_unacked, refused });
    })
    .await;
    totals
}

impl Totals {
    /// Add those of other streams.
    pub(crate) fn merge(mut self, other: Totals) -> Totals {
        self.absent += other.absent;
        self.oldest_unacked = self.oldest_unacked.into_iter().chain(other.oldest_unacked).min();
        self.refused.iter_mut().zip(other.refused).for_each(|(count, more)| *count += more);
        self
    }
}

/// A single stream in this state.
pub(crate) fn count_of(state: SyncState) -> StateCounts {
    let mut counts = StateCounts::default();
    counts[state as usize] = 1;
    counts
}

pub(crate) fn add_states(counts: &mut StateCounts, more: StateCounts) {
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
}
