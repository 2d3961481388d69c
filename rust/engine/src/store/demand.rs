//! Which names somebody wants, over all shards, with a grace time; and what Python knows of them.
//!
//! A client that reconnects or goes idle for a moment must not make the translation drop and rebuild what it asked for.
//!
//! Python hears of demand and of its end in portions, each flow in its turn ([`crate::Flow`]). It keeps what exists up to
//! date. A name that nothing exists for is kept here alone, with the service that it waits for: when that service changes,
//! the name is demanded anew.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::fair_queue::{FairQueue, Flow};
use super::table::Key;
use crate::protocol::TypeId;

/// Names that nobody wants any more and that are kept for their grace, at the most, and their bytes: who asks for ever new
/// names must not have all of them kept.
const MAX_UNWANTED: usize = 50_000;
const MAX_UNWANTED_BYTES: usize = 16 << 20;

/// Keys that are let go at once: others wait for the lock.
const MAX_EXPIRED: usize = 256;

/// No slot.
const NONE: u32 = u32::MAX;

/// What is wanted: a name ([`crate::WILDCARD`]: all of them) in an audience.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DemandKey {
    /// Type of the resource.
    pub type_id: TypeId,
    /// Name of the resource.
    pub name: Arc<str>,
    /// Audience of the streams that want it, exactly.
    pub audience: Arc<str>,
}

/// What Python hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DemandEvent {
    /// Somebody wants it: answer it and keep it up to date, or say that it is missing. The account pays.
    Added(DemandKey, u32),
    /// Nobody wants it any more.
    Withdrawn(DemandKey),
}

/// What Python makes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    /// It has not heard of it.
    New,
    /// It has, and keeps it up to date.
    Known,
    /// It said that nothing exists, and has forgotten it.
    Missing,
}

#[derive(Debug)]
struct Slot {
    name: Arc<str>,
    audience: Arc<str>,
    flow: Flow,
    /// Since when nobody wants it, if so.
    unwanted_since: Option<Duration>,
    /// Of missing ones: the hash of the service that it waits for, 0 for none, and the neighbours that wait for the same.
    awaited_service: u64,
    next: u32,
    previous: u32,
    /// How many shards want it.
    shards: u32,
    /// Of known ones: the account that pays for what Python keeps.
    payer: u32,
    type_id: TypeId,
    report: Report,
    /// The grace is over: Python is to hear of it.
    expired: bool,
    /// Stands in the queue of what is unwanted, at most once: coming and going all the time costs no memory.
    listed: bool,
    /// Stands in the turns.
    queued: bool,
    /// Somebody wants it, did so a moment ago, or Python knows it.
    used: bool,
}

impl Slot {
    fn key(&self) -> DemandKey {
        let (name, audience) = (Arc::clone(&self.name), Arc::clone(&self.audience));
        DemandKey { type_id: self.type_id, name, audience }
    }

    fn is(&self, type_id: TypeId, name: &str, audience: &str) -> bool {
        self.type_id == type_id && *self.name == *name && *self.audience == *audience
    }

    fn entry(&self) -> Key {
        let DemandKey { type_id, name, audience } = self.key();
        Key { type_id, name, audience }
    }
}

/// The table of demand. Every shard adds and removes each key at most once at a time ([`crate::Transition`]).
///
/// The transport puts a lock around it.
#[derive(Debug)]
pub struct Demand {
    grace: Duration,
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// How many keys there are of each audience.
    audiences: HashMap<Arc<str>, u32>,
    /// Keys that were unwanted, with the time to look at them again, and the bytes of their names.
    unwanted: VecDeque<(Duration, u32)>,
    unwanted_bytes: usize,
    queue: FairQueue,
    /// Places in the turns of keys that are gone.
    stale: usize,
    /// The first missing name that waits for each service.
    waiting: HashTable<u32>,
    missing: usize,
    /// Accounts that paid for something that Python does not keep any more, each once for each name.
    released: Vec<u32>,
}

impl Demand {
    /// An empty table; a demand is withdrawn when nobody wanted it for `grace`.
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
            waiting: HashTable::new(),
            missing: 0,
            released: Vec::new(),
        }
    }

    /// A shard wants the key; `flow` is who caused that.
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

    /// A shard no longer wants the key.
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

    /// Let go of keys whose grace has passed, and of the oldest of those that are too many; of many keys only of some: then
    /// [`Demand::next_due`] is past. Returns entries that are to be
    /// forgotten: Python does not know them. Of the others it hears in their turn.
    #[must_use]
    pub fn expire(&mut self, now: Duration) -> Vec<Key> {
        let mut forgotten = Vec::new();
        for _ in 0..MAX_EXPIRED {
            if self.next_due().is_none_or(|due| due > now) {
                break;
            }
            let crowded = self.is_crowded();
            let Some((_, index)) = self.unwanted.pop_front() else { break };
            let slot = &mut self.slots[index as usize];
            match slot.unwanted_since.map(|since| since + self.grace) {
                // It came back and went again. At the end of the queue it may be late, by less than one grace.
                Some(due) if due > now && !crowded => {
                    self.unwanted.push_back((due, index));
                    continue;
                }
                None => {}
                Some(_) if slot.report == Report::Known => slot.expired = true,
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

    /// When to call [`Demand::expire`] next; `None`: not before something is removed.
    pub fn next_due(&self) -> Option<Duration> {
        let due = self.unwanted.front().map(|(due, _)| *due);
        if self.is_crowded() { Some(Duration::ZERO) } else { due }
    }

    fn is_crowded(&self) -> bool {
        self.unwanted.len() > MAX_UNWANTED || self.unwanted_bytes > MAX_UNWANTED_BYTES
    }

    /// What Python is to hear next, about `most` keys.
    pub fn take_events(&mut self, most: usize) -> Vec<DemandEvent> {
        let mut events = Vec::new();
        while events.len() < most && !self.queue.is_empty() {
            let mut taken = Vec::new();
            self.queue.pop_batch(most - events.len(), |index, _| taken.push(index));
            events.extend(taken.into_iter().filter_map(|index| self.event_for(index)));
        }
        events
    }

    /// Accounts that paid for what Python kept and has forgotten since the last call: each as often as for a name.
    pub fn take_released(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.released)
    }

    /// Whether Python is to hear something.
    pub fn has_events(&self) -> bool {
        self.queue.len() > self.stale
    }

    fn event_for(&mut self, index: u32) -> Option<DemandEvent> {
        // Nothing is left when the last key of this turn went before.
        let slot = self.slots.get_mut(index as usize)?;
        slot.queued = false;
        if !slot.used {
            self.stale -= 1;
            self.free.push(index);
            return None;
        }
        if slot.expired {
            let key = slot.key();
            let known = slot.report == Report::Known;
            if known {
                self.released.push(slot.payer);
            }
            slot.used = false;
            self.drop_slot(index);
            return known.then_some(DemandEvent::Withdrawn(key));
        }
        if slot.report != Report::New || slot.shards == 0 {
            return None;
        }
        (slot.report, slot.payer) = (Report::Known, slot.flow.account);
        Some(DemandEvent::Added(slot.key(), slot.payer))
    }

    /// Python says that there is nothing under a key that it was told of, and forgets it: it is demanded anew when the
    /// service changes that it waits for, or the name ([`Demand::changed`]). Returns the name if it is wanted still.
    #[must_use]
    pub fn mark_missing(&mut self, key: &DemandKey, service: &str) -> Option<Arc<str>> {
        let index = self.find(key)?;
        let awaited_service = if service.is_empty() { 0 } else { self.hasher.hash_one(service).max(1) };
        let slot = &mut self.slots[index as usize];
        if slot.report != Report::Known {
            return None;
        }
        self.released.push(slot.payer);
        if slot.expired {
            slot.report = Report::New;
            return None;
        }
        (slot.report, slot.awaited_service) = (Report::Missing, awaited_service);
        let name = Arc::clone(&slot.name);
        self.missing += 1;
        self.link(index);
        Some(name)
    }

    /// These services or names changed: what is missing and waits for them is demanded anew. Returns the entries that are
    /// to be forgotten, since they may be wrong.
    #[must_use]
    pub fn changed<'a>(
        &mut self,
        services: impl Iterator<Item = &'a str>,
        names: &HashSet<(TypeId, &str)>,
    ) -> Vec<Key> {
        if self.missing == 0 {
            return Vec::new();
        }
        let mut affected = Vec::new();
        for service in services {
            let awaited_service = self.hasher.hash_one(service).max(1);
            let mut at = self.first(awaited_service);
            while at != NONE {
                affected.push(at);
                at = self.slots[at as usize].next;
            }
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
            return None; // It was named twice.
        }
        self.unlink(index);
        let slot = &mut self.slots[index as usize];
        slot.report = Report::New;
        let entry = slot.entry();
        if slot.shards > 0 {
            self.enqueue(index);
        }
        Some(entry)
    }

    /// How many keys are wanted, within their grace, or yet to be withdrawn.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing is wanted.
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
        let slot = Slot {
            name: Arc::clone(&key.name),
            audience: Arc::clone(&key.audience),
            flow,
            unwanted_since: None,
            awaited_service: 0,
            next: NONE,
            previous: NONE,
            shards: 0,
            payer: 0,
            type_id: key.type_id,
            report: Report::New,
            expired: false,
            listed: false,
            queued: false,
            used: true,
        };
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

    /// A key that is used no more: its place is free once it stands in no queue.
    fn drop_slot(&mut self, index: u32) {
        if self.slots[index as usize].report == Report::Missing {
            self.unlink(index);
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

    /// Nothing is wanted, nothing waits: begin anew without the memory that a storm needed.
    fn reset(&mut self) {
        let released = std::mem::take(&mut self.released);
        *self = Demand { hasher: self.hasher.clone(), released, ..Demand::new(self.grace) };
    }

    /// Python may be slow: what came and went meanwhile must not fill the turns.
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

    /// The first of those that wait for a service.
    fn first(&self, awaited_service: u64) -> u32 {
        let hash = self.hasher.hash_one(awaited_service);
        let first =
            self.waiting.find(hash, |&index| self.slots[index as usize].awaited_service == awaited_service);
        first.copied().unwrap_or(NONE)
    }

    /// Put a missing name before the others that wait for its service.
    fn link(&mut self, index: u32) {
        let awaited_service = self.slots[index as usize].awaited_service;
        if awaited_service == 0 {
            return;
        }
        let (hasher, slots) = (&self.hasher, &self.slots);
        let is_it = |&other: &u32| slots[other as usize].awaited_service == awaited_service;
        let hash_of = |&other: &u32| hasher.hash_one(slots[other as usize].awaited_service);
        let second = match self.waiting.entry(hasher.hash_one(awaited_service), is_it, hash_of) {
            Entry::Occupied(mut entry) => std::mem::replace(entry.get_mut(), index),
            Entry::Vacant(entry) => {
                entry.insert(index);
                NONE
            }
        };
        self.slots[index as usize].next = second;
        if second != NONE {
            self.slots[second as usize].previous = index;
        }
    }

    /// A name is missing no more, or gone.
    fn unlink(&mut self, index: u32) {
        self.missing -= 1;
        let slot = &mut self.slots[index as usize];
        let (awaited_service, next, previous) = (slot.awaited_service, slot.next, slot.previous);
        (slot.next, slot.previous) = (NONE, NONE);
        if awaited_service == 0 {
            return;
        }
        if next != NONE {
            self.slots[next as usize].previous = previous;
        }
        if previous != NONE {
            self.slots[previous as usize].next = next;
        } else {
            let hash = self.hasher.hash_one(awaited_service);
            if let Ok(mut entry) = self.waiting.find_entry(hash, |&other| other == index) {
                if next == NONE {
                    entry.remove();
                } else {
                    *entry.get_mut() = next;
                }
            }
        }
        self.slots[index as usize].awaited_service = 0;
    }
}

/// Places of keys that are gone: so many are left in the turns until they are more than the others.
const MAX_STALE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_secs;
    const FLOW: Flow = Flow { account: 7, connection: 1 };

    fn key(name: &str) -> DemandKey {
        DemandKey { type_id: TypeId::Cluster, name: name.into(), audience: "grpc".into() }
    }

    /// What Python hears, a word each.
    fn events(demand: &mut Demand) -> String {
        let words = demand.take_events(usize::MAX).into_iter().map(|events| match events {
            DemandEvent::Added(key, account) => format!("+{}:{account}", key.name),
            DemandEvent::Withdrawn(key) => format!("-{}", key.name),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn renewed(demand: &mut Demand, service: &str, names: &[&str]) -> usize {
        let names = names.iter().map(|name| (TypeId::Cluster, *name)).collect();
        demand.changed([service].into_iter(), &names).len()
    }

    #[test]
    fn the_first_shard_raises_and_the_last_one_withdraws_after_the_grace() {
        let mut demand = Demand::new(AT(30));
        demand.add(&key("a"), FLOW);
        demand.add(&key("a"), FLOW);
        assert!(demand.has_events());
        assert_eq!((events(&mut demand).as_str(), demand.has_events()), ("+a:7", false));
        demand.remove(&key("a"), AT(10));
        assert_eq!((demand.expire(AT(100)).len(), demand.next_due()), (0, None), "one shard still wants it");
        demand.remove(&key("a"), AT(20));
        assert_eq!(demand.next_due(), Some(AT(50)));
        assert!(demand.expire(AT(49)).is_empty() && !demand.has_events());
        assert!(demand.expire(AT(50)).is_empty());
        assert_eq!((events(&mut demand).as_str(), demand.next_due(), demand.is_empty()), ("-a", None, true));
        demand.add(&key("a"), FLOW);
        assert_eq!(events(&mut demand), "+a:7", "a demand after its withdrawal is new");
    }

    #[test]
    fn coming_back_within_the_grace_is_silent_and_starts_it_anew() {
        let mut demand = Demand::new(AT(30));
        demand.add(&key("a"), FLOW);
        assert_eq!(events(&mut demand), "+a:7");
        demand.remove(&key("a"), AT(0));
        demand.add(&key("a"), FLOW);
        demand.remove(&key("a"), AT(20));
        assert!(demand.expire(AT(30)).is_empty());
        assert_eq!((demand.next_due(), demand.unwanted.len()), (Some(AT(50)), 1));
        assert!(demand.expire(AT(50)).is_empty());
        demand.add(&key("a"), FLOW);
        assert_eq!(events(&mut demand), "", "it came back before Python heard of its end");
        demand.remove(&key("a"), AT(60));
        assert!(demand.expire(AT(90)).is_empty());
        assert_eq!(events(&mut demand), "-a");
    }

    #[test]
    fn what_comes_and_goes_before_it_is_told_leaves_nothing() {
        let mut demand = Demand::new(Duration::ZERO);
        demand.add(&key("stays"), FLOW);
        for number in 0..100_000 {
            let key = key(&number.to_string());
            demand.add(&key, FLOW);
            demand.remove(&key, AT(1));
            assert!(demand.expire(AT(1)).is_empty());
        }
        assert!(demand.slots.len() <= 2 * MAX_STALE + 2, "{} slots", demand.slots.len());
        assert_eq!((events(&mut demand).as_str(), demand.len()), ("+stays:7", 1));
        assert_eq!((demand.queue.len(), demand.stale), (0, 0));
    }

    #[test]
    fn names_that_come_and_go_are_not_all_kept() {
        let mut demand = Demand::new(AT(30));
        for number in 0..MAX_UNWANTED + 10 {
            let key = key(&number.to_string());
            demand.add(&key, FLOW);
            demand.remove(&key, AT(1));
            assert!(demand.expire(AT(1)).is_empty());
        }
        assert_eq!(demand.len(), MAX_UNWANTED);
        let mut demand = Demand::new(AT(30));
        for number in 0..10 {
            let key = key(&number.to_string().repeat(MAX_UNWANTED_BYTES / 4));
            demand.add(&key, FLOW);
            demand.remove(&key, AT(1));
            assert!(demand.expire(AT(1)).is_empty());
        }
        assert_eq!(demand.len(), 4, "long ones are fewer");
    }

    #[test]
    fn leaving_twice_at_one_moment_withdraws_once() {
        let mut demand = Demand::new(Duration::ZERO);
        for _ in 0..2 {
            demand.add(&key("a"), FLOW);
            assert!(demand.take_events(9).len() < 2);
            demand.remove(&key("a"), AT(1));
        }
        demand.remove(&key("never"), AT(1));
        assert!(demand.expire(AT(1)).is_empty());
        assert_eq!((events(&mut demand).as_str(), demand.len()), ("-a", 0));
    }

    #[test]
    fn names_that_changed_are_found_in_every_audience_however_many_others_there_are() {
        let of = |name: &str, audience: &str| DemandKey { audience: audience.into(), ..key(name) };
        for others in [0, 100] {
            let mut demand = Demand::new(AT(0));
            let others = (0..others).map(|number| of(&number.to_string(), "one"));
            let keys: Vec<_> =
                [of("a", "one"), of("a", "two"), of("b", "one")].into_iter().chain(others).collect();
            keys.iter().for_each(|key| demand.add(key, FLOW));
            assert_eq!(demand.take_events(usize::MAX).len(), keys.len());
            assert!(keys.iter().all(|key| demand.mark_missing(key, "").is_some()));
            assert_eq!(renewed(&mut demand, "", &["a", "never"]), 2);
            assert_eq!(events(&mut demand), "+a:7 +a:7");
            assert_eq!(demand.audiences.len(), 2);
            keys.iter().for_each(|key| demand.remove(key, AT(1)));
            assert_eq!(demand.expire(AT(1)).len(), keys.len() - 2);
            assert_eq!(events(&mut demand), "-a -a");
            assert!(demand.audiences.is_empty(), "nothing is left of audiences that are gone");
        }
    }

    #[test]
    fn a_missing_name_is_demanded_anew_when_its_service_changes_and_only_then() {
        let mut demand = Demand::new(AT(30));
        for name in ["a:1", "a:2", "b:1", "no name"] {
            demand.add(&key(name), FLOW);
        }
        assert_eq!(demand.take_events(usize::MAX).len(), 4);
        for (name, service) in [("a:1", "shop/a"), ("a:2", "shop/a"), ("b:1", "shop/b"), ("no name", "")] {
            assert!(demand.mark_missing(&key(name), service).is_some());
        }
        assert_eq!(renewed(&mut demand, "shop/other", &[]), 0);
        assert_eq!((renewed(&mut demand, "shop/a", &[]), events(&mut demand).as_str()), (2, "+a:2:7 +a:1:7"));
        assert_eq!(renewed(&mut demand, "shop/a", &[]), 0, "Python knows them");
        assert!(demand.mark_missing(&key("a:1"), "shop/a").is_some());
        assert_eq!(renewed(&mut demand, "shop/a", &["a:1", "no name", "a:2"]), 2);
        assert_eq!(events(&mut demand), "+a:1:7 +no name:7");
        assert_eq!((renewed(&mut demand, "shop/b", &[]), demand.missing), (1, 0));
        assert!(demand.waiting.is_empty());
    }

    #[test]
    fn a_missing_name_that_nobody_wants_is_forgotten_without_python() {
        let mut demand = Demand::new(AT(30));
        let names = ["a", "b", "c"];
        for name in names {
            demand.add(&key(name), FLOW);
        }
        assert_eq!(demand.take_events(usize::MAX).len(), 3);
        assert!(names.iter().all(|name| demand.mark_missing(&key(name), "shop/a").is_some()));
        demand.remove(&key("b"), AT(0));
        assert_eq!(demand.expire(AT(30)), [demand_entry("b")]);
        assert_eq!((demand.len(), demand.missing), (2, 2));
        demand.remove(&key("a"), AT(40));
        assert_eq!(renewed(&mut demand, "shop/a", &[]), 2);
        assert_eq!(events(&mut demand), "+c:7", "nobody wants the other one now");
        demand.add(&key("a"), FLOW);
        assert_eq!(events(&mut demand), "+a:7");
    }

    #[test]
    fn an_account_pays_as_long_as_python_keeps_a_name() {
        let mut demand = Demand::new(Duration::ZERO);
        for name in ["kept", "missing", "late"] {
            demand.add(&key(name), FLOW);
        }
        assert_eq!(demand.take_events(usize::MAX).len(), 3);
        demand.add(&key("kept"), Flow { account: 8, connection: 1 });
        assert_eq!(demand.take_released(), []);
        assert!(demand.mark_missing(&key("missing"), "").is_some());
        assert_eq!(demand.take_released(), [7]);
        for name in ["kept", "kept", "late", "missing"] {
            demand.remove(&key(name), AT(1));
        }
        assert_eq!(demand.expire(AT(1)).len(), 1);
        assert_eq!(demand.mark_missing(&key("late"), ""), None);
        assert_eq!(events(&mut demand), "-kept");
        assert_eq!(demand.take_released(), [7, 7], "it paid that was told, not that came later");
    }

    #[test]
    fn what_is_withdrawn_before_python_says_that_it_is_missing_is_not_kept() {
        let mut demand = Demand::new(Duration::ZERO);
        demand.add(&key("a"), FLOW);
        assert_eq!(events(&mut demand), "+a:7");
        demand.remove(&key("a"), AT(1));
        assert!(demand.expire(AT(1)).is_empty());
        assert_eq!(demand.mark_missing(&key("a"), "shop/a"), None);
        assert_eq!((events(&mut demand).as_str(), demand.len(), demand.missing), ("", 0, 0));
        assert_eq!(demand.mark_missing(&key("a"), "shop/a"), None);
    }

    fn demand_entry(name: &str) -> Key {
        Key { type_id: TypeId::Cluster, name: name.into(), audience: "grpc".into() }
    }
}
