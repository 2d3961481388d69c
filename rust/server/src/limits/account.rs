//! What each client uses of the server, over all its connections and streams.
//!
//! An account belongs to the identity that a client proved, or to its address as long as it proved none. It is shared by
//! all threads, lives as long as somebody holds it, and a while longer when its CPU budget is spent: a client that closes
//! its connection and comes back does not begin with a full one.

use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::budget::{Budget, SharedBudget};
use crate::limits::client_key::ClientKey;

/// Accounts without a holder that are kept until their CPU budget is full again; the oldest is dropped first.
const MAX_IDLE: usize = 10_000;

/// Accounts at rest that are looked at whenever another one is opened.
const SWEEP_STEP: usize = 2;

/// What one client uses now. Other limits per client have their quota in here.
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
    /// Accounts without a holder, oldest first. One that was opened again in between is passed over.
    idle: VecDeque<u32>,
}

#[derive(Debug)]
struct Entry {
    account: Arc<Account>,
    holders: usize,
}

/// A hold on an account. The account may go when the last one is dropped.
#[derive(Debug)]
pub(crate) struct AccountHandle {
    account: Arc<Account>,
    accounts: Arc<Accounts>,
}

impl Accounts {
    /// No accounts yet. `budget_limits` is what each may use, `started` the moment from which the engine counts time.
    pub(crate) fn new(budget_limits: Budget, started: Instant) -> Arc<Accounts> {
        Arc::new(Accounts { budget_limits, started, table: Mutex::default() })
    }

    /// The account of a client_key, made if there is none.
    pub(crate) fn open(self: &Arc<Accounts>, client_key: &ClientKey) -> AccountHandle {
        let now = self.started.elapsed();
        let mut table = self.table.lock();
        table.sweep(now);
        let id = match table.ids.get(client_key) {
            Some(id) => *id,
            None => table.insert(client_key, SharedBudget::new(self.budget_limits, now)),
        };
        let entry = table.accounts.get_mut(&id).expect("each client_key has its account");
        entry.holders += 1;
        AccountHandle { account: Arc::clone(&entry.account), accounts: Arc::clone(self) }
    }

    /// Something that an account used is given back: it may go, if nobody holds it.
    pub(crate) fn remove_if_unused(&self, id: u32) {
        let now = self.started.elapsed();
        let mut table = self.table.lock();
        if table.accounts.get(&id).is_some_and(|entry| entry.holders == 0) {
            table.drop_unused(id, now);
        }
    }

    /// An account that is still there.
    pub(crate) fn find(&self, id: u32) -> Option<Arc<Account>> {
        self.table.lock().accounts.get(&id).map(|entry| Arc::clone(&entry.account))
    }

    /// How many accounts there are.
    pub(crate) fn len(&self) -> usize {
        self.table.lock().accounts.len()
    }

    fn release(&self, id: u32) {
        let now = self.started.elapsed();
        let mut table = self.table.lock();
        let Some(entry) = table.accounts.get_mut(&id) else { return };
        entry.holders -= 1;
        if entry.holders == 0 {
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
        self.accounts.insert(id, Entry { account, holders: 0 });
        id
    }

    /// The last holder went.
    fn release_last(&mut self, id: u32, now: Duration) {
        if self.drop_unused(id, now) {
            return;
        }
        self.idle.push_back(id);
        if self.idle.len() > MAX_IDLE {
            let oldest = self.idle.pop_front();
            oldest.into_iter().for_each(|id| self.drop_unheld(id));
        }
    }

    /// Look at the oldest accounts at rest: a budget that is unused again needs no account.
    fn sweep(&mut self, now: Duration) {
        for _ in 0..SWEEP_STEP.min(self.idle.len()) {
            let Some(id) = self.idle.pop_front() else { return };
            let is_idle = self.accounts.get(&id).is_some_and(|entry| entry.holders == 0);
            if is_idle && !self.drop_unused(id, now) {
                self.idle.push_back(id);
            }
        }
    }

    /// Returns whether it was unused.
    fn drop_unused(&mut self, id: u32, now: Duration) -> bool {
        let unused = self.accounts.get(&id).is_some_and(|entry| entry.account.budget.is_unused(now));
        if unused {
            self.drop_unheld(id);
        }
        unused
    }

    fn drop_unheld(&mut self, id: u32) {
        if self.accounts.get(&id).is_some_and(|entry| entry.holders == 0)
            && let Some(entry) = self.accounts.remove(&id)
        {
            self.ids.remove(&entry.account.client_key);
        }
    }
}

impl Clone for AccountHandle {
    fn clone(&self) -> AccountHandle {
        if let Some(entry) = self.accounts.table.lock().accounts.get_mut(&self.account.id) {
            entry.holders += 1;
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
    use crate::net::peer::Peer;

    fn accounts() -> Arc<Accounts> {
        Accounts::new(Budget { subscription_bytes: 0, cpu: 0.5 }, Instant::now())
    }

    fn spend(account: &AccountHandle) {
        account.budget.spend(Duration::from_secs(60), Duration::ZERO);
    }

    #[test]
    fn an_account_is_shared_while_it_is_held_and_gone_afterwards() {
        let accounts = accounts();
        let open = |address: &str| accounts.open(&ClientKey::of(&Peer::tcp(address.parse().unwrap())));
        let (one, other) = (open("10.0.0.1:1"), open("10.0.0.1:2"));
        assert_eq!((one.id, accounts.len()), (other.id, 1));
        assert!(accounts.find(one.id).is_some_and(|found| found.id == one.id));
        drop(one);
        let copy = other.clone();
        drop(other);
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
    fn what_is_kept_for_a_client_outlives_it() {
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
    fn few_accounts_rest() {
        let accounts = accounts();
        for host in 0..MAX_IDLE + 10 {
            spend(&accounts.open(&ClientKey::Address(host.to_string().into())));
        }
        assert_eq!(accounts.len(), MAX_IDLE);
        assert_eq!(accounts.table.lock().ids.len(), MAX_IDLE);
    }
}
