//! Budgets of a stream, of its connection, of its client's account, and of the whole server: memory and CPU time.
//!
//! Memory: a subscription costs the bytes of its names and [`NAME_COST`] for each of them. CPU time: what its requests
//! take, here and in Python. Whoever exceeds a memory budget is refused; whoever exceeds a CPU budget waits, and is refused
//! when that would take longer than [`MAX_WAIT`].
//!
//! Budgets that are shared with others never concern a small stream: otherwise a client that uses up a shared budget would
//! lock out those that share it. What is small per stream is bounded by the number of streams.

use std::time::Duration;

use parking_lot::Mutex;

use crate::limits::quota::Quota;
use crate::limits::rate::CpuBudget;

/// What a subscribed name costs beside its bytes: its place in the stream, in the index of the shard, in the demand and in
/// the store (docs/decisions/0026).
pub(crate) const NAME_COST: usize = 512;

/// What a demanded name costs in addition when something exists under it: the resource, and what Python keeps to have it up
/// to date. The account pays that demanded it first.
pub(crate) const KEPT_COST: usize = 2048;

/// A memory and a CPU budget. 0 is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// Bytes of subscriptions.
    pub subscription_bytes: usize,
    /// Cores that may be busy in the long run.
    pub cpu: f64,
}

/// The budgets of everybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budgets {
    /// Of one stream.
    pub stream: Budget,
    /// Of one connection.
    pub connection: Budget,
    /// Of one identity, or of one peer address without authentication.
    pub peer: Budget,
    /// Of all together.
    pub server: Budget,
}

/// What shares a budget: a connection, an account, or the server.
#[derive(Debug)]
pub(crate) struct SharedBudget {
    pub(crate) subscriptions: Quota,
    pub(crate) cpu: Mutex<CpuBudget>,
}

impl SharedBudget {
    pub(crate) fn new(share: Budget, now: Duration) -> SharedBudget {
        let cpu = Mutex::new(CpuBudget::new(share.cpu, now));
        SharedBudget { subscriptions: Quota::optional(share.subscription_bytes), cpu }
    }

    /// Something was done for the client, and took so long.
    pub(crate) fn spend(&self, time: Duration, now: Duration) {
        self.cpu.lock().spend(time, || now);
    }

    /// Python keeps a name; returns whether there was room for it.
    pub(crate) fn add_kept(&self) -> bool {
        self.subscriptions.force_take(KEPT_COST)
    }

    /// It does not any more.
    pub(crate) fn remove_kept(&self) {
        self.subscriptions.release(KEPT_COST);
    }

    /// Whether nothing of it is in use, and no CPU time is owed.
    pub(crate) fn is_unused(&self, now: Duration) -> bool {
        self.subscriptions.used() == 0 && self.cpu.lock().is_unused(now)
    }

    /// Bytes of subscriptions that are counted.
    pub(crate) fn subscriptions(&self) -> usize {
        self.subscriptions.used()
    }
}
