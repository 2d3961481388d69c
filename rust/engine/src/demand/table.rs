//! The demand of all shards for names, with a grace time, and what the translation knows of it.
//!
//! A client that reconnects or is idle for a moment must not make the translation drop and rebuild its resources.
//!
//! The translation takes events in batches, in a fair order ([`super::Flow`]). It keeps the resources that exist up to
//! date. A missing name is kept here alone, with the service that it waits for: when that service changes, the name is
//! added again.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::fair_queue::{FairQueue, Flow};
use super::missing::Missing;
use super::slot::{DemandEvent, DemandKey, Report, Slot};
use crate::protocol::TypeId;
use crate::store::Key;

/// Maximum of unwanted names that are kept for the grace time, and of their bytes: it bounds the memory of clients that
/// request ever new names.
pub(super) const MAX_UNWANTED: usize = 50_000;
pub(super) const MAX_UNWANTED_BYTES: usize = 16 << 20;

/// Keys that expire in one call: other threads wait for the lock.
const MAX_EXPIRED: usize = 256;

/// Stale places in the queue of events that are kept, if it is short.
pub(super) const MAX_STALE: usize = 1024;

/// The table of demand. Every shard adds and removes each key at most once at a time ([`crate::Transition`]).
///
/// The transport puts a lock around it.
#[derive(Debug)]
pub struct Demand {
    grace: Duration,
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    pub(super) slots: Vec<Slot>,
    free: Vec<u32>,
    /// Number of keys of each audience.
    pub(super) audiences: HashMap<Arc<str>, u32>,
    /// Unwanted keys with the time to check them, and the bytes of their names.
    pub(super) unwanted: VecDeque<(Duration, u32)>,
    unwanted_bytes: usize,
    /// Keys with an event.
    pub(super) queue: FairQueue,
    /// Places in `queue` of keys that are no longer used.
    pub(super) stale: usize,
    pub(super) missing: Missing,
    /// Accounts that paid for keys that the translation no longer keeps, once for each key.
    released: Vec<u32>,
}

impl Demand {
    /// An empty table. Demand is withdrawn when no shard was subscribed for `grace`.
    pub fn new(grace: Duration) -> Demand {
        Demand {
            grace,
            hasher: DefaultHashBuilder::default(),
            table: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            audiences: HashMap::new(),
            unwanted: VecDeque::new(),
            unwanted_bytes: 0,
            queue: FairQueue::default(),
            stale: 0,
            missing: Missing::default(),
            released: Vec::new(),
        }
    }

    /// A shard subscribes to the key, because of `flow`.
    pub fn add(&mut self, key: &DemandKey, flow: Flow) {
        let index = match self.find(key) {
            Some(index) => index,
            None => self.insert(key, flow),
        };
        let slot = &mut self.slots[index as usize];
        slot.shards += 1;
        (slot.unwanted_since, slot.expired, slot.flow) = (None, false, flow);
        if slot.report == Report::New {
            self.enqueue(index);
        }
    }

    /// A shard is no longer subscribed to the key.
    pub fn remove(&mut self, key: &DemandKey, now: Duration) {
        let Some(index) = self.find(key) else { return };
        let slot = &mut self.slots[index as usize];
        slot.shards = slot.shards.saturating_sub(1);
        if slot.shards == 0 {
            slot.unwanted_since = Some(now);
            if !std::mem::replace(&mut slot.listed, true) {
                self.unwanted_bytes += slot.name.len();
                self.unwanted.push_back((now + self.grace, index));
            }
        }
    }

    /// Drop keys whose grace time has passed, and the oldest ones beyond the maximum, up to a number of keys: if there
    /// are more, [`Demand::next_due`] is in the past. Returns entries of missing names, which the caller must remove
    /// from the store. The withdrawal of other keys becomes an event.
    #[must_use]
    pub fn expire(&mut self, now: Duration) -> Vec<Key> {
        let mut forgotten = Vec::new();
        for _ in 0..MAX_EXPIRED {
            if self.next_due().is_none_or(|due| due > now) {
                break;
            }
            let over_limit = self.is_over_limit();
            let Some((_, index)) = self.unwanted.pop_front() else { break };
            let slot = &mut self.slots[index as usize];
            match slot.unwanted_since.map(|since| since + self.grace) {
                // It was added and removed again. At the end of the queue it may be late, by less than one grace time.
                Some(due) if due > now && !over_limit => {
                    self.unwanted.push_back((due, index));
                    continue;
                }
                None => {}
                Some(_) if slot.report == Report::Reported => slot.expired = true,
                Some(_) => {
                    if slot.report == Report::Missing {
                        forgotten.push(slot.entry());
                    }
                    slot.used = false;
                }
            }
            let slot = &mut self.slots[index as usize];
            slot.listed = false;
            self.unwanted_bytes -= slot.name.len();
            match (slot.used, slot.expired) {
                (false, _) => self.drop_slot(index),
                (true, true) => self.enqueue(index),
                (true, false) => {}
            }
        }
        forgotten
    }

    /// When to call [`Demand::expire`] next; `None`: not before a key is removed.
    pub fn next_due(&self) -> Option<Duration> {
        let due = self.unwanted.front().map(|(due, _)| *due);
        if self.is_over_limit() { Some(Duration::ZERO) } else { due }
    }

    fn is_over_limit(&self) -> bool {
        self.unwanted.len() > MAX_UNWANTED || self.unwanted_bytes > MAX_UNWANTED_BYTES
    }

    /// The next events, `most` at most.
    pub fn take_events(&mut self, most: usize) -> Vec<DemandEvent> {
        let mut events = Vec::new();
        while events.len() < most && !self.queue.is_empty() {
            let mut taken = Vec::new();
            self.queue.pop_batch(most - events.len(), |index, _| taken.push(index));
            events.extend(taken.into_iter().filter_map(|index| self.event_for(index)));
        }
        events
    }

    /// The accounts that paid for keys that the translation forgot since the last call, once for each key.
    pub fn take_released(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.released)
    }

    /// Whether there are events to take.
    pub fn has_events(&self) -> bool {
        self.queue.len() > self.stale
    }

    fn event_for(&mut self, index: u32) -> Option<DemandEvent> {
        // `None` after a reset: an earlier event of this batch was that of the last key.
        let slot = self.slots.get_mut(index as usize)?;
        slot.queued = false;
        if !slot.used {
            self.stale -= 1;
            self.free.push(index);
            return None;
        }
        if slot.expired {
            let key = slot.key();
            let reported = slot.report == Report::Reported;
            if reported {
                self.released.push(slot.payer);
            }
            slot.used = false;
            self.drop_slot(index);
            return reported.then_some(DemandEvent::Withdrawn(key));
        }
        if slot.report != Report::New || slot.shards == 0 {
            return None;
        }
        (slot.report, slot.payer) = (Report::Reported, slot.flow.account);
        Some(DemandEvent::Added(slot.key(), slot.payer))
    }

    /// The translation reports that there is no resource for a key, and forgets it. The key is added again when
    /// `service` or the name changes ([`Demand::changed`]). Returns the name if some shard is still subscribed.
    #[must_use]
    pub fn mark_missing(&mut self, key: &DemandKey, service: &str) -> Option<Arc<str>> {
        let index = self.find(key)?;
        let slot = &mut self.slots[index as usize];
        if slot.report != Report::Reported {
            return None;
        }
        self.released.push(slot.payer);
        if slot.expired {
            slot.report = Report::New;
            return None;
        }
        slot.report = Report::Missing;
        let name = Arc::clone(&slot.name);
        self.missing.link(&mut self.slots, index, service);
        Some(name)
    }

    /// Services or names changed: the missing names that wait for them are added again. Returns their entries, which
    /// the caller must remove from the store: they may be outdated.
    #[must_use]
    pub fn changed<'a>(
        &mut self,
        services: impl Iterator<Item = &'a str>,
        names: &HashSet<(TypeId, &str)>,
    ) -> Vec<Key> {
        if self.missing.len() == 0 {
            return Vec::new();
        }
        let mut affected = Vec::new();
        for service in services {
            affected.extend(self.missing.of(&self.slots, service));
        }
        if names.len() * self.audiences.len() < self.table.len() {
            let keys =
                names.iter().flat_map(|name| self.audiences.keys().map(move |audience| (*name, audience)));
            affected
                .extend(keys.filter_map(|((type_id, name), audience)| self.find_by(type_id, name, audience)));
        } else {
            let named = |slot: &Slot| slot.used && names.contains(&(slot.type_id, &*slot.name));
            affected
                .extend((0u32..).zip(&self.slots).filter(|(_, slot)| named(slot)).map(|(index, _)| index));
        }
        affected.into_iter().filter_map(|index| self.reactivate(index)).collect()
    }

    fn reactivate(&mut self, index: u32) -> Option<Key> {
        if self.slots[index as usize].report != Report::Missing {
            return None; // It was affected twice.
        }
        self.missing.unlink(&mut self.slots, index);
        let slot = &mut self.slots[index as usize];
        slot.report = Report::New;
        let entry = slot.entry();
        if slot.shards > 0 {
            self.enqueue(index);
        }
        Some(entry)
    }

    /// Number of keys that are wanted, within their grace time, or yet to be withdrawn.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn hash(&self, type_id: TypeId, name: &str, audience: &str) -> u64 {
        self.hasher.hash_one((type_id, name, audience))
    }

    fn find(&self, key: &DemandKey) -> Option<u32> {
        self.find_by(key.type_id, &key.name, &key.audience)
    }

    fn find_by(&self, type_id: TypeId, name: &str, audience: &str) -> Option<u32> {
        let hash = self.hash(type_id, name, audience);
        self.table.find(hash, |&index| self.slots[index as usize].is(type_id, name, audience)).copied()
    }

    fn insert(&mut self, key: &DemandKey, flow: Flow) -> u32 {
        *self.audiences.entry_ref(&key.audience).or_default() += 1;
        let slot = Slot::new(key, flow);
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        let (hasher, slots) = (&self.hasher, &self.slots);
        let hash_of = |index: &u32| {
            let slot = &slots[*index as usize];
            hasher.hash_one((slot.type_id, &*slot.name, &*slot.audience))
        };
        self.table.insert_unique(hash_of(&index), index, hash_of);
        index
    }

    /// Drop a key. Its slot is free once it is in no queue.
    fn drop_slot(&mut self, index: u32) {
        if self.slots[index as usize].report == Report::Missing {
            self.missing.unlink(&mut self.slots, index);
        }
        let slot = &self.slots[index as usize];
        let hash = self.hash(slot.type_id, &slot.name, &slot.audience);
        if let Ok(entry) = self.table.find_entry(hash, |&other| other == index) {
            entry.remove();
        }
        let slot = &mut self.slots[index as usize];
        slot.name = Default::default();
        let audience = std::mem::take(&mut slot.audience);
        if let Some(count) = self.audiences.get_mut(&audience) {
            *count -= 1;
            if *count == 0 {
                self.audiences.remove(&audience);
            }
        }
        if self.table.is_empty() && self.queue.is_empty() && self.unwanted.is_empty() {
            return self.reset();
        }
        if slot.queued {
            self.stale += 1;
            self.compact_queue();
        } else {
            self.free.push(index);
        }
    }

    /// Without keys and events, give the memory back.
    fn reset(&mut self) {
        let released = std::mem::take(&mut self.released);
        *self = Demand { hasher: self.hasher.clone(), released, ..Demand::new(self.grace) };
    }

    /// Keys that were added and removed before their event was taken must not fill the queue.
    fn compact_queue(&mut self) {
        if self.stale <= MAX_STALE.max(self.queue.len() / 2) {
            return;
        }
        self.stale = 0;
        let (slots, free) = (&mut self.slots, &mut self.free);
        self.queue.retain(|index| {
            let slot = &mut slots[index as usize];
            if !slot.used {
                slot.queued = false;
                free.push(index);
            }
            slot.used
        });
    }

    fn enqueue(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if !std::mem::replace(&mut slot.queued, true) {
            self.queue.push(slot.flow, index);
        }
    }
}
