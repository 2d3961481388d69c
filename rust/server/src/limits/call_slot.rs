//! Slots of the calls that Python answers: each address has a share, and cannot use those of others.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use crate::limits::client_key::ClientKey;
use crate::limits::limit::Limit;

/// Slots of all clients. A call holds one until it is answered and its event was polled: an answer may have many
/// megabytes.
pub(crate) const MAX_CALL_SLOTS: usize = 64;

/// Slots of one address.
pub(crate) const MAX_CALL_SLOTS_PER_ADDRESS: usize = MAX_CALL_SLOTS / 4;

/// Why a call has no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Address,
    All,
}

impl Exceeded {
    /// The limit, and the message of the status.
    pub(crate) fn limit_and_message(self) -> (Limit, String) {
        match self {
            Exceeded::Address => {
                let text = format!(
                    "{MAX_CALL_SLOTS_PER_ADDRESS} calls of this address already wait for an answer; try again"
                );
                (Limit::CallsPerAddress, text)
            }
            Exceeded::All => (Limit::Calls, "too many calls already wait for an answer; try again".into()),
        }
    }
}

/// The slots of all calls.
#[derive(Debug, Default)]
pub(crate) struct CallSlots(Mutex<SlotCounts>);

#[derive(Debug, Default)]
struct SlotCounts {
    count: usize,
    by_address: HashMap<ClientKey, usize>,
}

/// A slot in use.
#[derive(Debug)]
pub(crate) struct CallSlot {
    slots: Arc<CallSlots>,
    address: ClientKey,
}

impl CallSlots {
    pub(crate) fn take(self: &Arc<CallSlots>, address: &ClientKey) -> Result<CallSlot, Exceeded> {
        let mut counts = self.0.lock();
        if counts.by_address.get(address).is_some_and(|used| *used >= MAX_CALL_SLOTS_PER_ADDRESS) {
            return Err(Exceeded::Address);
        }
        if counts.count >= MAX_CALL_SLOTS {
            return Err(Exceeded::All);
        }
        counts.count += 1;
        *counts.by_address.entry(address.clone()).or_default() += 1;
        Ok(CallSlot { slots: Arc::clone(self), address: address.clone() })
    }
}

impl Drop for CallSlot {
    fn drop(&mut self) {
        let mut counts = self.slots.0.lock();
        counts.count -= 1;
        if let Some(used) = counts.by_address.get_mut(&self.address) {
            *used -= 1;
            if *used == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// A queue per address: no client waits behind all the calls of another address.
pub(crate) struct AddressQueues {
    concurrency: usize,
    capacity: usize,
    by_address: Mutex<HashMap<ClientKey, Arc<Semaphore>>>,
}

/// An entry in the queue of an address, which is removed with its last one.
pub(crate) struct QueueTicket<'a> {
    queues: &'a AddressQueues,
    address: ClientKey,
    permits: Arc<Semaphore>,
}

impl AddressQueues {
    /// `concurrency` entries of an address have a permit at a time; `capacity` are in its queue.
    pub(crate) fn new(concurrency: usize, capacity: usize) -> AddressQueues {
        AddressQueues { concurrency, capacity, by_address: Mutex::default() }
    }

    /// Join the queue of an address; `None` when it is full.
    pub(crate) fn join(&self, address: &ClientKey) -> Option<QueueTicket<'_>> {
        let mut by_address = self.by_address.lock();
        let permits =
            by_address.entry(address.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.concurrency)));
        // One reference is that of the table.
        if Arc::strong_count(permits) > self.capacity {
            return None;
        }
        Some(QueueTicket { queues: self, address: address.clone(), permits: Arc::clone(permits) })
    }
}

impl QueueTicket<'_> {
    /// Wait for the permit of this entry.
    pub(crate) async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.permits.acquire().await
    }
}

impl Drop for QueueTicket<'_> {
    fn drop(&mut self) {
        let mut by_address = self.queues.by_address.lock();
        // The reference of the table, and this one.
        if Arc::strong_count(&self.permits) == 2 {
            by_address.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_key(host: &str) -> ClientKey {
        ClientKey::Address(host.into())
    }

    #[test]
    fn one_address_cannot_use_all_slots() {
        let slots = Arc::new(CallSlots::default());
        let mut taken: Vec<CallSlot> = Vec::new();
        while let Ok(slot) = slots.take(&client_key("greedy")) {
            taken.push(slot);
        }
        assert_eq!(taken.len(), MAX_CALL_SLOTS_PER_ADDRESS);
        assert_eq!(slots.take(&client_key("greedy")).unwrap_err(), Exceeded::Address);
        taken.push(slots.take(&client_key("other")).unwrap());
        for host in 0..MAX_CALL_SLOTS - taken.len() {
            taken.push(slots.take(&client_key(&host.to_string())).unwrap());
        }
        assert_eq!(slots.take(&client_key("late")).unwrap_err(), Exceeded::All);
        taken.clear();
        assert!(slots.0.lock().by_address.is_empty());
        assert!(slots.take(&client_key("late")).is_ok());
    }

    #[tokio::test]
    async fn each_queue_has_its_own_permits_and_capacity() {
        let queues = AddressQueues::new(1, 2);
        let first = queues.join(&client_key("greedy")).unwrap();
        let second = queues.join(&client_key("greedy")).unwrap();
        assert!(queues.join(&client_key("greedy")).is_none(), "it is full");
        let permit = first.acquire().await.unwrap();
        assert!(second.permits.try_acquire().is_err(), "one at a time");
        let other = queues.join(&client_key("other")).unwrap();
        assert!(other.permits.try_acquire().is_ok());
        drop(permit);
        assert!(second.acquire().await.is_ok());
        drop((first, second, other));
        assert!(queues.by_address.lock().is_empty());
    }
}
