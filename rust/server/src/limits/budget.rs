//! Memory and CPU budgets that streams share: those of a connection, of a client's account, and of the whole server.
//!
//! Memory: a subscription costs the bytes of its names and [`NAME_COST`] for each of them. CPU time: the time that its
//! requests take, in the engine and in Python.

use std::time::Duration;

use parking_lot::Mutex;

use crate::limits::quota::Quota;
use crate::limits::rate::CpuBudget;

/// The cost of a subscribed name beside its bytes: its entries in the stream, in the index of the shard, in the demand
/// and in the store (docs/decisions/0026).
pub(crate) const NAME_COST: usize = 512;

/// The additional cost of a demanded name with a resource: the resource, and what Python keeps to update it. It is
/// charged to the account that demanded it first.
pub(crate) const KEPT_COST: usize = 2048;

/// The limits of one memory and one CPU budget. 0 is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// Bytes of subscriptions.
    pub subscription_bytes: usize,
    /// Cores that may be busy in the long run.
    pub cpu: f64,
}

/// The limits of all budgets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budgets {
    /// Of one stream.
    pub stream: Budget,
    /// Of one connection.
    pub connection: Budget,
    /// Of one identity, or of one peer address without authentication.
    pub peer: Budget,
    /// Of all streams together.
    pub server: Budget,
}

/// The budgets of a connection, an account or the server.
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

    /// Charge the time of some work for the client.
    pub(crate) fn spend(&self, time: Duration, now: Duration) {
        self.cpu.lock().spend(time, || now);
    }

    /// Python keeps a name; returns whether it fits.
    pub(crate) fn add_kept(&self) -> bool {
        self.subscriptions.force_take(KEPT_COST)
    }

    /// Python no longer keeps the name.
    pub(crate) fn remove_kept(&self) {
        self.subscriptions.release(KEPT_COST);
    }

    /// Whether no memory is in use and no CPU time is owed.
    pub(crate) fn is_unused(&self, now: Duration) -> bool {
        self.subscriptions.used() == 0 && self.cpu.lock().is_unused(now)
    }

    /// Bytes of subscriptions that are counted.
    pub(crate) fn subscriptions(&self) -> usize {
        self.subscriptions.used()
    }
}
