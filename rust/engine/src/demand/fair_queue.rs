//! A fair queue: accounts take turns, and so do the connections of each account.
//!
//! Every other turn goes to a flow that is new, the others to flows that have waited: a client with few names does not
//! wait for one with many, and many new clients do not starve the one with many.

use std::collections::VecDeque;

use hashbrown::HashMap;

/// Items of one connection in one turn.
const QUANTUM: usize = 8;

/// The origin of work: a connection, and the account that pays for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The account.
    pub account: u32,
    /// The connection.
    pub connection: u32,
}

/// Items that wait, by flow.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    ring: Ring,
    accounts: HashMap<u32, Account>,
    len: usize,
}

#[derive(Debug, Default)]
struct Account {
    ring: Ring,
    connections: HashMap<u32, VecDeque<u32>>,
}

#[derive(Debug, Default)]
struct Ring {
    new: VecDeque<u32>,
    old: VecDeque<u32>,
    old_is_next: bool,
}

impl Ring {
    fn next(&mut self) -> Option<u32> {
        self.old_is_next = !self.old_is_next;
        if self.old_is_next {
            self.new.pop_front().or_else(|| self.old.pop_front())
        } else {
            self.old.pop_front().or_else(|| self.new.pop_front())
        }
    }

    fn retain(&mut self, keep: impl Fn(&u32) -> bool) {
        self.new.retain(&keep);
        self.old.retain(&keep);
    }
}

impl FairQueue {
    /// Append an item of a flow.
    pub(crate) fn push(&mut self, flow: Flow, item: u32) {
        let Flow { account, connection } = flow;
        let ring = &mut self.ring;
        let account = self.accounts.entry(account).or_insert_with(|| {
            ring.new.push_back(account);
            Account::default()
        });
        let ring = &mut account.ring;
        let queue = account.connections.entry(connection).or_insert_with(|| {
            ring.new.push_back(connection);
            VecDeque::new()
        });
        queue.push_back(item);
        self.len += 1;
    }

    /// Take the next turn: up to `most` items of one flow. None when the queue is empty.
    pub(crate) fn pop_batch(&mut self, most: usize, mut take: impl FnMut(u32, Flow)) {
        let Some(id) = self.ring.next() else { return };
        let account = self.accounts.get_mut(&id).expect("an account in the ring has connections");
        let connection = account.ring.next().expect("an account has a connection in its ring");
        let queue = account.connections.get_mut(&connection).expect("a connection in the ring has a queue");
        let count = QUANTUM.min(most).min(queue.len());
        self.len -= count;
        queue.drain(..count).for_each(|item| take(item, Flow { account: id, connection }));
        if queue.is_empty() {
            account.connections.remove(&connection);
        } else {
            account.ring.old.push_back(connection);
        }
        if account.connections.is_empty() {
            self.accounts.remove(&id);
        } else {
            self.ring.old.push_back(id);
        }
    }

    /// Drop the items that are not to be kept.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        let FairQueue { ring, accounts, len } = self;
        *len = 0;
        accounts.retain(|_, Account { ring, connections }| {
            connections.retain(|_, queue| {
                queue.retain(|item| keep(*item));
                *len += queue.len();
                !queue.is_empty()
            });
            ring.retain(|connection| connections.contains_key(connection));
            !connections.is_empty()
        });
        ring.retain(|account| accounts.contains_key(account));
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &mut FairQueue, account: u32, connection: u32, items: std::ops::Range<u32>) {
        items.for_each(|item| queue.push(Flow { account, connection }, item));
    }

    /// The accounts of the next turns.
    fn accounts(queue: &mut FairQueue, count: usize) -> Vec<u32> {
        let mut order = Vec::new();
        for _ in 0..count {
            queue.pop_batch(usize::MAX, |_, flow| order.push(flow.account));
            order.dedup();
        }
        order
    }

    #[test]
    fn a_flow_is_answered_in_its_order_and_leaves_nothing() {
        let mut queue = FairQueue::default();
        push(&mut queue, 1, 1, 0..20);
        let mut items = Vec::new();
        while !queue.is_empty() {
            queue.pop_batch(5, |item, _| items.push(item));
        }
        assert_eq!(items, (0..20).collect::<Vec<_>>());
        assert!(queue.accounts.is_empty());
        queue.pop_batch(5, |_, _| unreachable!());
    }

    #[test]
    fn a_client_with_one_name_is_next_whatever_others_wait_for() {
        let mut queue = FairQueue::default();
        for connection in 0..20 {
            push(&mut queue, 1, connection, 0..1000);
        }
        accounts(&mut queue, 100);
        push(&mut queue, 2, 0, 0..1);
        assert!(accounts(&mut queue, 2).contains(&2), "of another account");
        push(&mut queue, 1, 77, 0..1);
        let mut connections = Vec::new();
        for _ in 0..2 {
            queue.pop_batch(usize::MAX, |_, flow| connections.push(flow.connection));
        }
        assert!(connections.contains(&77), "of the same account");
    }

    #[test]
    fn new_flows_without_end_do_not_hold_up_an_old_one() {
        let mut queue = FairQueue::default();
        push(&mut queue, 1, 1, 0..100);
        let mut served = 0;
        for stranger in 2..60 {
            push(&mut queue, stranger, 1, 0..2);
            queue.pop_batch(usize::MAX, |_, flow| served += u32::from(flow.account == 1));
        }
        assert_eq!(served, 100);
    }
}
