//! What each client uses of the server, over all its connections and streams.
//!
//! An account belongs to the identity that a client proved, or to its address as long as it proved none. It is shared by
//! all threads, lives as long as somebody holds it, and a while longer when its CPU budget is spent: a client that closes
//! its connection and comes back does not begin with a full one.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::budget::{Purse, Share};
use crate::net::peer::Peer;

/// Accounts without a holder that are kept until their CPU budget is full again; the oldest is dropped first.
const MAX_RESTING: usize = 10_000;

/// Accounts at rest that are looked at whenever another one is opened.
const SWEPT_AT_ONCE: usize = 2;

/// Whose account it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Party {
    /// The host of an unauthenticated TCP client, or the user of a Unix socket.
    Address(Arc<str>),
    /// The identity that a client proved.
    Identity(Arc<str>),
}

impl Party {
    /// The party of a connection whose client has not proved an identity.
    ///
    /// An IPv6 address counts whole: in Kubernetes the pods of a node share a prefix.
    pub(crate) fn of(peer: &Peer) -> Party {
        let address = &*peer.address;
        if peer.local {
            let user = address.rsplit_once("uid ").map_or("", |(_, user)| user.trim_end_matches(')'));
            return Party::Address(format!("uid {user}").into());
        }
        let host = match address.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => host,
            _ => address,
        };
        Party::Address(host.into())
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Party::Address(text) | Party::Identity(text) => f.write_str(text),
        }
    }
}

/// What one client uses now. Other limits per client have their quota in here.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: u32,
    pub(crate) party: Party,
    pub(crate) purse: Purse,
}

/// All accounts of a server.
#[derive(Debug)]
pub(crate) struct Accounts {
    share: Share,
    started: Instant,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    ids: HashMap<Party, u32>,
    accounts: HashMap<u32, Entry>,
    last_id: u32,
    /// Accounts without a holder, oldest first. One that was opened again in between is passed over.
    resting: VecDeque<u32>,
}

#[derive(Debug)]
struct Entry {
    account: Arc<Account>,
    holders: usize,
}

/// A hold on an account. The account may go when the last one is dropped.
#[derive(Debug)]
pub(crate) struct Holding {
    account: Arc<Account>,
    accounts: Arc<Accounts>,
}

impl Accounts {
    /// No accounts yet. `share` is what each may use, `started` the moment from which the engine counts time.
    pub(crate) fn new(share: Share, started: Instant) -> Arc<Accounts> {
        Arc::new(Accounts { share, started, table: Mutex::default() })
    }

    /// The account of a party, made if there is none.
    pub(crate) fn open(self: &Arc<Accounts>, party: &Party) -> Holding {
        let now = self.started.elapsed();
        let mut table = self.table.lock();
        table.sweep(now);
        let id = match table.ids.get(party) {
            Some(id) => *id,
            None => table.insert(party, Purse::new(self.share, now)),
        };
        let entry = table.accounts.get_mut(&id).expect("each party has its account");
        entry.holders += 1;
        Holding { account: Arc::clone(&entry.account), accounts: Arc::clone(self) }
    }

    /// Something that an account used is given back: it may go, if nobody holds it.
    pub(crate) fn tidy(&self, id: u32) {
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
            table.rest(id, now);
        }
    }
}

impl Table {
    fn insert(&mut self, party: &Party, purse: Purse) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        while self.accounts.contains_key(&self.last_id) {
            self.last_id = self.last_id.wrapping_add(1);
        }
        let id = self.last_id;
        let account = Arc::new(Account { id, party: party.clone(), purse });
        self.ids.insert(party.clone(), id);
        self.accounts.insert(id, Entry { account, holders: 0 });
        id
    }

    /// The last holder went.
    fn rest(&mut self, id: u32, now: Duration) {
        if self.drop_unused(id, now) {
            return;
        }
        self.resting.push_back(id);
        if self.resting.len() > MAX_RESTING {
            let oldest = self.resting.pop_front();
            oldest.into_iter().for_each(|id| self.drop_unheld(id));
        }
    }

    /// Look at the oldest accounts at rest: a budget that is unused again needs no account.
    fn sweep(&mut self, now: Duration) {
        for _ in 0..SWEPT_AT_ONCE.min(self.resting.len()) {
            let Some(id) = self.resting.pop_front() else { return };
            let rests = self.accounts.get(&id).is_some_and(|entry| entry.holders == 0);
            if rests && !self.drop_unused(id, now) {
                self.resting.push_back(id);
            }
        }
    }

    /// Returns whether it was unused.
    fn drop_unused(&mut self, id: u32, now: Duration) -> bool {
        let unused = self.accounts.get(&id).is_some_and(|entry| entry.account.purse.is_unused(now));
        if unused {
            self.drop_unheld(id);
        }
        unused
    }

    fn drop_unheld(&mut self, id: u32) {
        if self.accounts.get(&id).is_some_and(|entry| entry.holders == 0)
            && let Some(entry) = self.accounts.remove(&id)
        {
            self.ids.remove(&entry.account.party);
        }
    }
}

impl Clone for Holding {
    fn clone(&self) -> Holding {
        if let Some(entry) = self.accounts.table.lock().accounts.get_mut(&self.account.id) {
            entry.holders += 1;
        }
        Holding { account: Arc::clone(&self.account), accounts: Arc::clone(&self.accounts) }
    }
}

impl Deref for Holding {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.accounts.release(self.account.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Arc<Accounts> {
        Accounts::new(Share { subscription_bytes: 0, cpu: 0.5 }, Instant::now())
    }

    fn spend(account: &Holding) {
        account.purse.spend(Duration::from_secs(60), Duration::ZERO);
    }

    fn peer(address: &str, local: bool) -> Peer {
        Peer { address: address.into(), certificate: Arc::default(), local }
    }

    #[test]
    fn connections_of_one_host_and_of_one_user_share_an_account() {
        let table = [
            ("10.0.0.1:4000", false, "10.0.0.1"),
            ("[2001:db8::1]:4000", false, "[2001:db8::1]"),
            ("10.0.0.1", false, "10.0.0.1"),
            ("unix:/run/x.sock (pid 7, uid 1000)", true, "uid 1000"),
            ("unix:/run/x.sock (uid 1000)", true, "uid 1000"),
            ("unix:/run/x.sock", true, "uid "),
        ];
        for (address, local, party) in table {
            assert_eq!(Party::of(&peer(address, local)).to_string(), party);
        }
    }

    #[test]
    fn an_account_is_shared_while_it_is_held_and_gone_afterwards() {
        let accounts = accounts();
        let open = |address| accounts.open(&Party::of(&peer(address, false)));
        let (one, other) = (open("10.0.0.1:1"), open("10.0.0.1:2"));
        assert_eq!((one.id, accounts.len()), (other.id, 1));
        assert!(accounts.find(one.id).is_some_and(|found| found.id == one.id));
        drop(one);
        let copy = other.clone();
        drop(other);
        let identity = accounts.open(&Party::Identity("10.0.0.1".into()));
        assert_ne!(identity.id, copy.id);
        assert_eq!(accounts.len(), 2);
        drop((copy, identity));
        assert_eq!(accounts.len(), 0);
    }

    #[test]
    fn a_spent_budget_outlives_the_connection() {
        let accounts = accounts();
        let party = Party::Address("10.0.0.1".into());
        let first = accounts.open(&party);
        spend(&first);
        let id = first.id;
        drop(first);
        assert_eq!(accounts.open(&party).id, id);
        // Half a core: the budget is unused again after two minutes.
        accounts.table.lock().sweep(Duration::from_secs(119));
        assert_eq!(accounts.len(), 1);
        accounts.table.lock().sweep(Duration::from_secs(121));
        assert_eq!(accounts.len(), 0);
    }

    #[test]
    fn what_is_kept_for_a_client_outlives_it() {
        let accounts = accounts();
        let account = accounts.open(&Party::Address("10.0.0.1".into()));
        let id = account.id;
        account.purse.keep();
        drop(account);
        accounts.tidy(id);
        let account = accounts.find(id).unwrap();
        account.purse.release();
        accounts.tidy(id);
        assert_eq!(accounts.len(), 0);
    }

    #[test]
    fn few_accounts_rest() {
        let accounts = accounts();
        for host in 0..MAX_RESTING + 10 {
            spend(&accounts.open(&Party::Address(host.to_string().into())));
        }
        assert_eq!(accounts.len(), MAX_RESTING);
        assert_eq!(accounts.table.lock().ids.len(), MAX_RESTING);
    }
}
