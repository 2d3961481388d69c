//! Which changes of the cluster the client of one stream was sent, and what it answered.
//!
//! A change may need several responses, of one type or of more: the client counts once.

use crate::store::Changes;

/// Answered changes of a stream that are kept, in case that a further response delivers them.
const MAX_ANSWERED: usize = 8;

/// What became of one change on one stream.
///
/// ```text
///    first response ──▶ Pending ──all responses are answered──▶ Acked, or Nacked after any NACK
///                        ▲ │                                        │
///                        │ └── end of the stream ──▶ Ended          │
///                        └────────── further response ──────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// A response is not answered yet.
    Pending,
    /// The client accepted every response.
    Acked,
    /// The client answered every response, and rejected some.
    Nacked,
    /// The stream ended before an answer.
    Ended,
}

/// The delivery of a change to the client of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryUpdate {
    /// Id of the change.
    pub change: u64,
    /// `None`: it was not sent before.
    pub from: Option<DeliveryState>,
    /// The new state.
    pub to: DeliveryState,
}

#[derive(Debug)]
struct Delivery {
    change: u64,
    /// Responses without an answer.
    open: u32,
    nacked: bool,
}

impl Delivery {
    fn state(&self) -> DeliveryState {
        match self {
            Delivery { open: 1.., .. } => DeliveryState::Pending,
            Delivery { nacked: true, .. } => DeliveryState::Nacked,
            Delivery { nacked: false, .. } => DeliveryState::Acked,
        }
    }
}

/// The changes of one stream that are pending or were answered last.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    recent: Vec<Delivery>,
    updates: Vec<DeliveryUpdate>,
}

impl Deliveries {
    /// A response with these changes was sent.
    pub(crate) fn sent(&mut self, changes: &Changes) {
        for change in changes.iter() {
            if self.recent.iter().any(|delivery| delivery.change == change) {
                self.update(change, |delivery| delivery.open += 1);
                continue;
            }
            self.recent.push(Delivery { change, open: 1, nacked: false });
            self.updates.push(DeliveryUpdate { change, from: None, to: DeliveryState::Pending });
            if self.recent.len() > MAX_ANSWERED
                && let Some(oldest) = self.recent.iter().position(|delivery| delivery.open == 0)
            {
                self.recent.remove(oldest);
            }
        }
    }

    /// A response with these changes was answered.
    pub(crate) fn answered(&mut self, changes: &Changes, nacked: bool) {
        for change in changes.iter() {
            self.update(change, |delivery| {
                delivery.open = delivery.open.saturating_sub(1);
                delivery.nacked |= nacked;
            });
        }
    }

    /// The stream ended.
    pub(crate) fn end(&mut self) {
        let pending = self.recent.drain(..).filter(|delivery| delivery.open > 0);
        let (from, to) = (Some(DeliveryState::Pending), DeliveryState::Ended);
        self.updates.extend(pending.map(|delivery| DeliveryUpdate { change: delivery.change, from, to }));
    }

    /// The updates since the last call.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = DeliveryUpdate> {
        // There is one with almost every message: the memory is used again.
        self.updates.drain(..)
    }

    fn update(&mut self, change: u64, apply: impl FnOnce(&mut Delivery)) {
        let Some(delivery) = self.recent.iter_mut().find(|delivery| delivery.change == change) else {
            return;
        };
        let from = delivery.state();
        apply(delivery);
        let to = delivery.state();
        if from != to {
            self.updates.push(DeliveryUpdate { change, from: Some(from), to });
        }
    }
}
