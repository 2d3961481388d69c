//! The memory and CPU budgets of one stream, and its use of those that it shares.
//!
//! Exceeding a memory budget ends the stream. Exceeding a CPU budget delays its requests, and ends it when the delay
//! would be longer than [`MAX_WAIT`].
//!
//! Shared budgets never concern a small stream: otherwise a client that uses up a shared budget would lock out those
//! that share it. The part that is small per stream is bounded by the number of streams.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tonic::Status;

use crate::limits::account::AccountHandle;
use crate::limits::budget::{Budget, Budgets, KEPT_COST, NAME_COST};
use crate::limits::client_key::ClientKey;
use crate::limits::limit::Limit;
use crate::limits::rate::CpuBudget;
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::shared::Shared;

/// The part of each stream's subscriptions that shared budgets do not count: 30 names.
const SMALL_SUBSCRIPTION: usize = 16 << 10;

/// A stream that owes less CPU time than this does not wait for shared budgets.
const SMALL_DEBT: Duration = Duration::from_millis(50);

/// CPU time is charged to shared budgets in steps of at least this.
const REPORT_STEP: Duration = Duration::from_millis(1);

/// The longest wait for CPU time.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The budget of one stream.
pub(crate) struct StreamBudget {
    connection: Rc<ConnectionContext>,
    shared: Arc<Shared>,
    account: RefCell<AccountHandle>,
    /// The cost of the subscriptions.
    cost: Cell<usize>,
    cpu: RefCell<CpuBudget>,
    /// CPU time that was not yet charged to shared budgets.
    unreported: Cell<Duration>,
}

impl StreamBudget {
    pub(crate) fn new(connection: &Rc<ConnectionContext>, shared: &Arc<Shared>) -> StreamBudget {
        StreamBudget {
            connection: Rc::clone(connection),
            shared: Arc::clone(shared),
            account: RefCell::new(connection.account.clone()),
            cost: Cell::new(0),
            cpu: RefCell::new(CpuBudget::new(shared.budgets.stream.cpu, shared.now())),
            unreported: Cell::default(),
        }
    }

    /// The account that is charged.
    pub(crate) fn account(&self) -> u32 {
        self.account.borrow().id
    }

    /// Charge the account of the identity that the client proved, instead of that of its address.
    pub(crate) fn identify(&self, identity: &str) -> Result<(), Status> {
        let account = self.shared.accounts.open(&ClientKey::Identity(identity.into()));
        let counted = counted(self.cost.get());
        if !account.budget.subscriptions.take(counted) {
            return Err(self.refuse(PEER));
        }
        self.account.borrow().budget.subscriptions.release(counted);
        *self.account.borrow_mut() = account;
        Ok(())
    }

    /// The status to end the stream with when its account has exceeded its memory budget; `None` for a small stream,
    /// and for those of other accounts.
    pub(crate) fn evict(&self, account: u32) -> Option<Status> {
        let pays = self.account() == account && counted(self.cost.get()) > 0;
        pays.then(|| self.refuse(PEER))
    }

    /// Charge the current subscriptions. An error ends the stream.
    pub(crate) fn subscribe(&self, names: usize, bytes: usize) -> Result<(), Status> {
        let cost = bytes + names * NAME_COST;
        if cost == self.cost.get() {
            // No access to shared budgets: all threads would contend for them at every request.
            return Ok(());
        }
        let before = counted(self.cost.get());
        let after = counted(cost);
        let limit = self.shared.budgets.stream.subscription_bytes;
        if limit > 0 && cost > limit {
            return Err(self.refuse(STREAM));
        }
        if after > before {
            self.take(after - before)?;
        } else {
            self.release(before - after);
        }
        self.cost.set(cost);
        Ok(())
    }

    fn take(&self, more: usize) -> Result<(), Status> {
        let account = self.account.borrow();
        let budgets = [&self.connection.budget, &account.budget, &self.shared.budget];
        for (index, (budget, level)) in budgets.iter().zip([CONNECTION, PEER, SERVER]).enumerate() {
            if !budget.subscriptions.take(more) {
                budgets[..index].iter().for_each(|taken| taken.subscriptions.release(more));
                return Err(self.refuse(level));
            }
        }
        Ok(())
    }

    fn release(&self, less: usize) {
        let account = self.account.borrow();
        for budget in [&self.connection.budget, &account.budget, &self.shared.budget] {
            budget.subscriptions.release(less);
        }
    }

    /// Charge the time of a request.
    pub(crate) fn spend(&self, time: Duration) {
        self.cpu.borrow_mut().spend(time, || self.shared.now());
        let unreported = self.unreported.get() + time;
        if unreported < REPORT_STEP {
            return self.unreported.set(unreported);
        }
        self.unreported.set(Duration::ZERO);
        let now = self.shared.now();
        let account = self.account.borrow();
        for budget in [&self.connection.budget, &account.budget, &self.shared.budget] {
            budget.spend(unreported, now);
        }
    }

    /// The time that the next request must wait. An error ends the stream.
    pub(crate) fn wait(&self) -> Result<Option<Duration>, Status> {
        let now = || self.shared.now();
        let own = self.cpu.borrow_mut().wait(now).map(|wait| (STREAM, wait));
        let small = counted(self.cost.get()) == 0 && self.cpu.borrow_mut().debt_below(SMALL_DEBT, now);
        let longest =
            if small { own } else { self.shared_waits(now()).chain(own).max_by_key(|(_, wait)| *wait) };
        let Some((level, wait)) = longest else { return Ok(None) };
        if wait > MAX_WAIT {
            let text = format!(
                "requests take more CPU time than {} allows ({} of a core)",
                level.cpu_setting,
                (level.share)(&self.shared.budgets).cpu
            );
            return Err(self.shared.limits.refuse(Limit::CpuTime, &self.connection.peer.address, text));
        }
        self.shared.limits.count(level.cpu, &self.connection.peer.address);
        Ok(Some(wait))
    }

    fn shared_waits(&self, now: Duration) -> impl Iterator<Item = (Level, Duration)> {
        let account = self.account.borrow();
        let budgets =
            [(CONNECTION, &self.connection.budget), (PEER, &account.budget), (SERVER, &self.shared.budget)];
        let waits = budgets.map(|(level, budget)| budget.cpu.lock().wait(|| now).map(|wait| (level, wait)));
        waits.into_iter().flatten()
    }

    fn refuse(&self, level: Level) -> Status {
        let limit = (level.share)(&self.shared.budgets).subscription_bytes;
        let text = format!(
            "subscriptions of this {} would need more than {limit} bytes ({}): each name counts with its length and \
             {NAME_COST} bytes, {KEPT_COST} more when it exists",
            level.name, level.memory_setting,
        );
        self.shared.limits.refuse(level.memory, &self.connection.peer.address, text)
    }
}

impl Drop for StreamBudget {
    fn drop(&mut self) {
        self.release(counted(self.cost.get()));
    }
}

/// The part of a stream's cost that shared budgets count.
fn counted(cost: usize) -> usize {
    cost.saturating_sub(SMALL_SUBSCRIPTION)
}

/// The names of one kind of budget.
#[derive(Clone, Copy)]
struct Level {
    name: &'static str,
    memory: Limit,
    memory_setting: &'static str,
    cpu: Limit,
    cpu_setting: &'static str,
    share: fn(&Budgets) -> &Budget,
}

const STREAM: Level = Level {
    name: "stream",
    memory: Limit::SubscriptionBytesOfStream,
    memory_setting: "max_subscription_bytes_per_stream",
    cpu: Limit::CpuOfStream,
    cpu_setting: "max_cpu_per_stream",
    share: |budgets| &budgets.stream,
};
const CONNECTION: Level = Level {
    name: "connection",
    memory: Limit::SubscriptionBytesOfConnection,
    memory_setting: "max_subscription_bytes_per_connection",
    cpu: Limit::CpuOfConnection,
    cpu_setting: "max_cpu_per_connection",
    share: |budgets| &budgets.connection,
};
const PEER: Level = Level {
    name: "peer",
    memory: Limit::SubscriptionBytesOfPeer,
    memory_setting: "max_subscription_bytes_per_peer",
    cpu: Limit::CpuOfPeer,
    cpu_setting: "max_cpu_per_peer",
    share: |budgets| &budgets.peer,
};
const SERVER: Level = Level {
    name: "server",
    memory: Limit::SubscriptionBytesOfServer,
    memory_setting: "max_subscription_bytes",
    cpu: Limit::CpuOfServer,
    cpu_setting: "max_cpu",
    share: |budgets| &budgets.server,
};

#[cfg(test)]
mod tests {
    use steerway_engine::{Identifier, StreamOptions};
    use tonic::Code;

    use super::*;
    use crate::failpoint::options;
    use crate::limits::control_frames::ControlFrameMeter;
    use crate::net::peer::{Peer, Transport};
    use crate::runtime::options::Options;

    /// Names without bytes that a shared budget does not count.
    const SMALL: usize = SMALL_SUBSCRIPTION / NAME_COST;

    fn shared(budgets: Budgets) -> Arc<Shared> {
        let options = Options { budgets, ..options() };
        let stream_options = StreamOptions {
            identifier: Identifier::new("test"),
            make_before_break_timeout: Duration::ZERO,
            names_per_stream: 1000,
            name_bytes: 1000,
            node_metadata: Arc::default(),
        };
        Shared::new(&options, stream_options).unwrap()
    }

    fn connection(shared: &Arc<Shared>, address: &str) -> Rc<ConnectionContext> {
        let peer = Peer::new(address, Transport::Plaintext);
        ConnectionContext::new(shared, peer, ControlFrameMeter::new(Duration::ZERO), None)
    }

    fn memory(subscription_bytes: usize) -> Budget {
        Budget { subscription_bytes, cpu: 0.0 }
    }

    fn cpu(cpu: f64) -> Budget {
        Budget { subscription_bytes: 0, cpu }
    }

    fn subscribe(budget: &StreamBudget, names: usize) -> Result<(), String> {
        budget.subscribe(names, 0).map_err(|status| {
            assert_eq!(status.code(), Code::ResourceExhausted);
            status.message().to_owned()
        })
    }

    #[test]
    fn a_stream_is_bounded_by_itself() {
        let shared = shared(Budgets { stream: memory(10 * NAME_COST), ..Budgets::default() });
        let budget = StreamBudget::new(&connection(&shared, "10.0.0.1:1"), &shared);
        assert_eq!(subscribe(&budget, 9), Ok(()), "even a small one");
        let error = budget.subscribe(9, 1000).unwrap_err();
        assert!(error.message().contains("max_subscription_bytes_per_stream"), "{error}");
    }

    /// Two streams share a budget that fits first of them, until that first ends.
    fn share_memory(budgets: Budgets, addresses: [&str; 2], setting: &str) {
        let shared = shared(budgets);
        let first_link = connection(&shared, addresses[0]);
        let second_link = if addresses[0] == addresses[1] {
            Rc::clone(&first_link)
        } else {
            connection(&shared, addresses[1])
        };
        let (first, second) =
            (StreamBudget::new(&first_link, &shared), StreamBudget::new(&second_link, &shared));
        assert_eq!(subscribe(&first, SMALL + 8), Ok(()));
        assert_eq!(subscribe(&second, SMALL), Ok(()), "small ones are not counted");
        let error = subscribe(&second, SMALL + 3).unwrap_err();
        assert!(error.contains(&format!("({setting})")), "{error}");
        assert_eq!(shared.budget.subscriptions(), 8 * NAME_COST, "what is refused is not counted");
        assert_eq!(subscribe(&first, SMALL + 7), Ok(()));
        assert_eq!(subscribe(&second, SMALL + 3), Ok(()));
        drop(first);
        assert_eq!(subscribe(&second, SMALL + 10), Ok(()));
        drop(second);
        assert_eq!(shared.budget.subscriptions(), 0);
        drop((first_link, second_link));
        assert_eq!(shared.accounts.len(), 0);
    }

    #[test]
    fn streams_share_the_memory_of_their_connection_their_peer_and_the_server() {
        let ten = memory(10 * NAME_COST);
        let connection = Budgets { connection: ten, ..Budgets::default() };
        share_memory(connection, ["10.0.0.1:1"; 2], "max_subscription_bytes_per_connection");
        let peer = Budgets { peer: ten, ..Budgets::default() };
        share_memory(peer, ["10.0.0.1:1", "10.0.0.1:2"], "max_subscription_bytes_per_peer");
        let server = Budgets { server: ten, ..Budgets::default() };
        share_memory(server, ["10.0.0.1:1", "10.0.0.2:1"], "max_subscription_bytes");
    }

    #[test]
    fn a_proved_identity_is_charged_instead_of_the_address() {
        let shared = shared(Budgets { peer: memory(10 * NAME_COST), ..Budgets::default() });
        let streams = ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1"];
        let [first, second, third] =
            streams.map(|address| StreamBudget::new(&connection(&shared, address), &shared));
        assert_eq!(subscribe(&first, SMALL + 8), Ok(()));
        first.identify("alice").unwrap();
        assert_eq!(subscribe(&second, SMALL + 8), Ok(()), "the address has its budget back");
        assert_ne!(first.account(), second.account());
        assert_eq!(subscribe(&third, SMALL + 8), Ok(()));
        assert!(third.identify("alice").is_err(), "another address of the same client");
        drop((first, second, third));
        assert_eq!((shared.budget.subscriptions(), shared.accounts.len()), (0, 0));
    }

    #[test]
    fn a_stream_waits_for_its_own_cpu_time_and_is_refused_when_the_wait_is_too_long() {
        let shared = shared(Budgets { stream: cpu(0.5), ..Budgets::default() });
        let budget = StreamBudget::new(&connection(&shared, "10.0.0.1:1"), &shared);
        budget.spend(Duration::from_secs(2));
        assert!(budget.wait().unwrap().is_none(), "a burst");
        budget.spend(Duration::from_secs(5));
        let wait = budget.wait().unwrap().unwrap();
        assert!(Duration::from_secs(9) < wait && wait < Duration::from_secs(11), "{wait:?}");
        budget.spend(Duration::from_secs(11));
        let error = budget.wait().unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert!(error.message().contains("max_cpu_per_stream allows (0.5 of a core)"), "{error}");
    }

    #[test]
    fn small_streams_do_not_wait_for_cpu_time_that_others_used() {
        for budgets in [
            Budgets { connection: cpu(0.5), ..Budgets::default() },
            Budgets { peer: cpu(0.5), ..Budgets::default() },
            Budgets { server: cpu(0.5), ..Budgets::default() },
        ] {
            let shared = shared(budgets);
            let connection = connection(&shared, "10.0.0.1:1");
            let [heavy, small, wide] = [0; 3].map(|_| StreamBudget::new(&connection, &shared));
            heavy.spend(Duration::from_secs(4));
            assert_eq!(subscribe(&wide, SMALL + 1), Ok(()));
            assert!(wide.wait().unwrap().is_some());
            assert!(small.wait().unwrap().is_none());
            assert!(heavy.wait().unwrap().is_some());
        }
    }
}
