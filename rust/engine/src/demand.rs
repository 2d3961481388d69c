//! Which names somebody wants, over all shards, with a grace time.
//!
//! A client that reconnects or goes idle for a moment must not make the translation drop and rebuild what it asked for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::TypeId;

/// Names that nobody wants any more and that are kept for their grace, at the most: who asks for ever new names must not
/// have all of them kept.
const MAX_UNWANTED: usize = 100_000;

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

#[derive(Debug)]
struct Wanted {
    /// How many shards want it.
    shards: usize,
    /// Since when nobody wants it.
    unwanted_since: Option<Duration>,
    /// Stands in the queue, at most once: coming and going all the time costs no memory.
    queued: bool,
}

/// The table of demand. Every shard adds and removes each key at most once at a time ([`crate::Transition`]).
///
/// The transport puts a lock around it.
#[derive(Debug)]
pub struct Demand {
    grace: Duration,
    wanted: HashMap<DemandKey, Wanted>,
    /// Keys that were unwanted, with the time to look at them again.
    unwanted: VecDeque<(Duration, DemandKey)>,
}

impl Demand {
    /// An empty table; a demand is withdrawn when nobody wanted it for `grace`.
    pub fn new(grace: Duration) -> Demand {
        Demand { grace, wanted: HashMap::new(), unwanted: VecDeque::new() }
    }

    /// A shard wants the key. `true`: report a demand (also for names that have an entry); `false`: known already.
    #[must_use]
    pub fn add(&mut self, key: &DemandKey) -> bool {
        match self.wanted.get_mut(key) {
            Some(wanted) => {
                wanted.shards += 1;
                wanted.unwanted_since = None;
                false
            }
            None => {
                self.wanted.insert(key.clone(), Wanted { shards: 1, unwanted_since: None, queued: false });
                true
            }
        }
    }

    /// A shard no longer wants the key.
    pub fn remove(&mut self, key: &DemandKey, now: Duration) {
        let Some(wanted) = self.wanted.get_mut(key) else { return };
        wanted.shards = wanted.shards.saturating_sub(1);
        if wanted.shards == 0 {
            wanted.unwanted_since = Some(now);
            if !std::mem::replace(&mut wanted.queued, true) {
                self.unwanted.push_back((now + self.grace, key.clone()));
            }
        }
    }

    /// Keys whose grace has passed, and the oldest of those that are too many: report each as withdrawn. They are gone
    /// from the table.
    pub fn due(&mut self, now: Duration) -> Vec<DemandKey> {
        let mut withdrawn = Vec::new();
        while self.next_due().is_some_and(|due| due <= now) {
            let crowded = self.is_crowded();
            let Some((_, key)) = self.unwanted.pop_front() else { break };
            let Some(wanted) = self.wanted.get_mut(&key) else { continue };
            match wanted.unwanted_since.map(|since| since + self.grace) {
                None => wanted.queued = false,
                // It came back and went again. At the end of the queue it may be late, by less than one grace.
                Some(due) if due > now && !crowded => self.unwanted.push_back((due, key)),
                Some(_) => {
                    self.wanted.remove(&key);
                    withdrawn.push(key);
                }
            }
        }
        withdrawn
    }

    /// When to call [`Demand::due`] next; `None`: not before something is removed.
    pub fn next_due(&self) -> Option<Duration> {
        let due = self.unwanted.front().map(|(due, _)| *due);
        if self.is_crowded() { Some(Duration::ZERO) } else { due }
    }

    fn is_crowded(&self) -> bool {
        self.unwanted.len() > MAX_UNWANTED
    }

    /// How many keys are wanted or within their grace.
    pub fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_secs;

    fn key(name: &str) -> DemandKey {
        DemandKey { type_id: TypeId::Cluster, name: name.into(), audience: "grpc".into() }
    }

    #[test]
    fn the_first_shard_raises_and_the_last_one_withdraws_after_the_grace() {
        let mut demand = Demand::new(AT(30));
        assert!(demand.add(&key("a")));
        assert!(!demand.add(&key("a")), "another shard");
        demand.remove(&key("a"), AT(10));
        assert_eq!((demand.due(AT(100)), demand.next_due()), (vec![], None), "one shard still wants it");
        demand.remove(&key("a"), AT(20));
        assert_eq!(demand.next_due(), Some(AT(50)));
        assert_eq!(demand.due(AT(49)), []);
        assert_eq!(demand.due(AT(50)), [key("a")]);
        assert_eq!((demand.next_due(), demand.is_empty()), (None, true));
        assert!(demand.add(&key("a")), "a demand after its withdrawal is new");
    }

    #[test]
    fn coming_back_within_the_grace_is_silent_and_starts_it_anew() {
        let mut demand = Demand::new(AT(30));
        assert!(demand.add(&key("a")));
        demand.remove(&key("a"), AT(0));
        assert!(!demand.add(&key("a")));
        demand.remove(&key("a"), AT(20));
        assert_eq!(demand.due(AT(30)), []);
        assert_eq!((demand.next_due(), demand.unwanted.len()), (Some(AT(50)), 1));
        assert_eq!(demand.due(AT(50)), [key("a")]);
    }

    #[test]
    fn names_that_come_and_go_are_not_all_kept() {
        let mut demand = Demand::new(AT(30));
        let mut withdrawn = 0;
        for number in 0..MAX_UNWANTED + 10 {
            let key = key(&number.to_string());
            assert!(demand.add(&key));
            demand.remove(&key, AT(1));
            if demand.next_due() == Some(Duration::ZERO) {
                withdrawn += demand.due(AT(1)).len();
            }
        }
        assert_eq!((withdrawn, demand.len()), (10, MAX_UNWANTED));
    }

    #[test]
    fn leaving_twice_at_one_moment_withdraws_once() {
        let mut demand = Demand::new(Duration::ZERO);
        for _ in 0..2 {
            let _ = demand.add(&key("a"));
            demand.remove(&key("a"), AT(1));
        }
        demand.remove(&key("never"), AT(1));
        assert_eq!(demand.due(AT(1)), [key("a")]);
        assert_eq!(demand.len(), 0);
    }
}
