//! The resources that each client uses, over all its connections and streams.
//!
//! An account belongs to the identity that a client proved, or to its address until then. It is shared by all threads.
//! It lives as long as it has handles, and until its CPU budget has recovered: reconnecting does not restore the
//! budget.

use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::budget::{Budget, SharedBudget};
use crate::limits::client_key::ClientKey;

/// Accounts without a handle that are kept until their CPU budget has recovered; the oldest is dropped first.
const MAX_IDLE: usize = 10_000;

/// Idle accounts that are checked whenever an account is opened.
const SWEEP_STEP: usize = 2;

/// The resources that one client uses.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: u32,
    pub(crate) client_key: ClientKey,
    pub(crate) budget: SharedBudget,
}

/// All accounts of a server.
#[derive(Debug)]
pub(crate) struct Accounts {
    budget_limits: Budget,
    started: Instant,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    ids: HashMap<ClientKey, u32>,
    accounts: HashMap<u32, Entry>,
    last_id: u32,
    /// Accounts without a handle, oldest first. Accounts that were opened again are skipped.
    idle: VecDeque<u32>,
}

#[derive(Debug)]
struct Entry {
    account: Arc<Account>,
    handles: usize,
}

/// A reference to an account, which may be removed when the last one is dropped.
#[derive(Debug)]
pub(crate) struct AccountHandle {
    account: Arc<Account>,
    accounts: Arc<Accounts>,
}

impl Accounts {
    /// `budget_limits` are those of each account; the engine counts time from `started`.
    pub(crate) fn new(budget_limits: Budget, started: Instant) -> Arc<Accounts> {
        Arc::new(Accounts { budget_limits, started, table: Mutex::default() })
    }

    /// The account of a client, created if there is none.
    pub(crate) fn open(self: &Arc<Accounts>, client_key: &ClientKey) -> AccountHandle {
        let now = self.started.elapsed();
        let mut table = self.table.lock();
        table.sweep(now);
        let id = match table.ids.get(client_key) {
            Some(id) => *id,
            None => table.insert(client_key, SharedBudget::new(self.budget_limits, now)),
        };
        let entry = table.accounts.get_mut(&id).expect("every key has an account");
        entry.handles += 1;
        AccountHandle { account: Arc::clone(&entry.account), accounts: Arc::clone(self) }
    }

    /// Something that an account used was released: remove the account if it is unused and has no handles.
    pub(crate) fn remove_if_unused(&self, id: u32) {
        let now = self.started.elapsed();
        let mut table = self.table.lock();
        if table.accounts.get(&id).is_some_and(|entry| entry.handles == 0) {
            table.remove_unused(id, now);
        }
    }

    /// An account that exists.
    pub(crate) fn find(&self, id: u32) -> Option<Arc<Account>> {
        self.table.lock().accounts.get(&id).map(|entry| Arc::clone(&entry.account))
    }

    /// The number of accounts.
    pub(crate) fn len(&self) -> usize {
        self.table.lock().accounts.len()
    }

    fn release(&self, id: u32) {
        let now = self.started.elapsed();
        let mut table = self.table.lock();
        let Some(entry) = table.accounts.get_mut(&id) else { return };
        entry.handles -= 1;
        if entry.handles == 0 {
            table.release_last(id, now);
        }
    }
}

impl Table {
    fn insert(&mut self, client_key: &ClientKey, budget: SharedBudget) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        while self.accounts.contains_key(&self.last_id) {
            self.last_id = self.last_id.wrapping_add(1);
        }
        let id = self.last_id;
        let account = Arc::new(Account { id, client_key: client_key.clone(), budget });
        self.ids.insert(client_key.clone(), id);
        self.accounts.insert(id, Entry { account, handles: 0 });
        id
    }

    /// The last handle was dropped.
    fn release_last(&mut self, id: u32, now: Duration) {
        if self.remove_unused(id, now) {
            return;
        }
        self.idle.push_back(id);
        if self.idle.len() > MAX_IDLE {
            let oldest = self.idle.pop_front();
            oldest.into_iter().for_each(|id| self.remove(id));
        }
    }

    /// Check the oldest idle accounts: one whose budget has recovered is removed.
    fn sweep(&mut self, now: Duration) {
        for _ in 0..SWEEP_STEP.min(self.idle.len()) {
            let Some(id) = self.idle.pop_front() else { return };
            let is_idle = self.accounts.get(&id).is_some_and(|entry| entry.handles == 0);
            if is_idle && !self.remove_unused(id, now) {
                self.idle.push_back(id);
            }
        }
    }

    /// Returns whether the account was unused.
    fn remove_unused(&mut self, id: u32, now: Duration) -> bool {
        let unused = self.accounts.get(&id).is_some_and(|entry| entry.account.budget.is_unused(now));
        if unused {
            self.remove(id);
        }
        unused
    }

    fn remove(&mut self, id: u32) {
        if self.accounts.get(&id).is_some_and(|entry| entry.handles == 0)
            && let Some(entry) = self.accounts.remove(&id)
        {
            self.ids.remove(&entry.account.client_key);
        }
    }
}

impl Clone for AccountHandle {
    fn clone(&self) -> AccountHandle {
        if let Some(entry) = self.accounts.table.lock().accounts.get_mut(&self.account.id) {
            entry.handles += 1;
        }
        AccountHandle { account: Arc::clone(&self.account), accounts: Arc::clone(&self.accounts) }
    }
}

impl Deref for AccountHandle {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}

impl Drop for AccountHandle {
    fn drop(&mut self) {
        self.accounts.release(self.account.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::peer::{Peer, Transport};

    fn accounts() -> Arc<Accounts> {
        Accounts::new(Budget { subscription_bytes: 0, cpu: 0.5 }, Instant::now())
    }

    fn spend(account: &AccountHandle) {
        account.budget.spend(Duration::from_secs(60), Duration::ZERO);
    }

    #[test]
    fn an_account_is_shared_until_its_last_handle_is_dropped() {
        let accounts = accounts();
        let open = |address: &str| {
            accounts.open(&ClientKey::of(&Peer::tcp(address.parse().unwrap(), Transport::Plaintext)))
        };
        let (first, second) = (open("10.0.0.1:1"), open("10.0.0.1:2"));
        assert_eq!((first.id, accounts.len()), (second.id, 1));
        assert!(accounts.find(first.id).is_some_and(|account| account.id == first.id));
        drop(first);
        let copy = second.clone();
        drop(second);
        let identity = accounts.open(&ClientKey::Identity("10.0.0.1".into()));
        assert_ne!(identity.id, copy.id);
        assert_eq!(accounts.len(), 2);
        drop((copy, identity));
        assert_eq!(accounts.len(), 0);
    }

    #[test]
    fn a_spent_budget_outlives_the_connection() {
        let accounts = accounts();
        let client_key = ClientKey::Address("10.0.0.1".into());
        let first = accounts.open(&client_key);
        spend(&first);
        let id = first.id;
        drop(first);
        assert_eq!(accounts.open(&client_key).id, id);
        // Half a core: the budget is unused again after two minutes.
        accounts.table.lock().sweep(Duration::from_secs(119));
        assert_eq!(accounts.len(), 1);
        accounts.table.lock().sweep(Duration::from_secs(121));
        assert_eq!(accounts.len(), 0);
    }

    #[test]
    fn names_that_are_kept_for_a_client_outlive_its_connections() {
        let accounts = accounts();
        let account = accounts.open(&ClientKey::Address("10.0.0.1".into()));
        let id = account.id;
        account.budget.add_kept();
        drop(account);
        accounts.remove_if_unused(id);
        let account = accounts.find(id).unwrap();
        account.budget.remove_kept();
        accounts.remove_if_unused(id);
        assert_eq!(accounts.len(), 0);
    }

    #[test]
    fn the_number_of_idle_accounts_is_bounded() {
        let accounts = accounts();
        for host in 0..MAX_IDLE + 10 {
            spend(&accounts.open(&ClientKey::Address(host.to_string().into())));
        }
        assert_eq!(accounts.len(), MAX_IDLE);
        assert_eq!(accounts.table.lock().ids.len(), MAX_IDLE);
    }
}
