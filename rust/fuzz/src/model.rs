//! What one client holds of one type, and what it is owed: the protocol as a client knows it, in plain sets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use steerway_engine::{Protocol, TypeId, canonical_name, is_collection};

use crate::world::{Ask, Reply};

/// Version and content by name; no content: one that the server does not know.
pub(crate) type Contents = BTreeMap<String, (String, Option<String>)>;

/// One type on one stream, as the client sees it.
#[derive(Debug)]
pub(crate) struct Half {
    pub(crate) type_id: TypeId,
    protocol: Protocol,
    pub(crate) started: bool,
    pub(crate) wildcard: bool,
    /// Nothing was ever named.
    legacy: bool,
    names: BTreeSet<String>,
    collections: BTreeSet<String>,
    /// Content by name; `None` is something that the server does not know.
    pub(crate) held: BTreeMap<String, Option<String>>,
    /// The version of each of them (delta).
    versions: BTreeMap<String, String>,
    /// Dropped by a request that the server ignored: if they are named again, they must come again.
    lapsed: BTreeSet<String>,
    /// Names that were asked for and did not come since.
    pub(crate) owed: BTreeSet<String>,
    /// The same, if they are there at all.
    pub(crate) owed_again: BTreeSet<String>,
    /// What the resources that came name, of the type that follows this one (delta).
    pub(crate) naming: BTreeMap<String, Vec<String>>,
    /// A whole set was asked for, and none came since.
    pub(crate) owed_set: bool,
    /// All was asked for once more: anything may come unchanged.
    again: bool,
    pub(crate) last_nonce: Option<String>,
    /// Nonces of responses without an answer, oldest first.
    pub(crate) open: VecDeque<String>,
    /// The last response that brought each name.
    brought: BTreeMap<String, String>,
    /// What lives for a time only: when it was heard of last, and for how long.
    pub(crate) alive: BTreeMap<String, (Duration, Duration)>,
}

impl Half {
    pub(crate) fn new(type_id: TypeId, protocol: Protocol) -> Half {
        Half {
            type_id,
            protocol,
            started: false,
            wildcard: false,
            legacy: false,
            names: BTreeSet::new(),
            collections: BTreeSet::new(),
            held: BTreeMap::new(),
            versions: BTreeMap::new(),
            lapsed: BTreeSet::new(),
            owed: BTreeSet::new(),
            owed_again: BTreeSet::new(),
            naming: BTreeMap::new(),
            owed_set: false,
            again: false,
            last_nonce: None,
            open: VecDeque::new(),
            brought: BTreeMap::new(),
            alive: BTreeMap::new(),
        }
    }

    fn sweeps(&self, name: &str) -> bool {
        self.wildcard || collection_of(name).is_some_and(|of| self.collections.contains(&of))
    }

    pub(crate) fn covers(&self, name: &str) -> bool {
        self.names.contains(name) || self.sweeps(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.wildcard && self.collections.is_empty() && self.names.is_empty()
    }

    /// All that is asked for, but the wildcard.
    pub(crate) fn named(&self) -> BTreeSet<String> {
        &self.names | &self.collections
    }

    /// What an honest client lists in its next request.
    pub(crate) fn list(&self) -> Vec<String> {
        let star = (self.wildcard && !self.legacy).then(|| "*".to_owned());
        self.named().into_iter().chain(star).collect()
    }

    /// A request was taken. `visible` is what the server has now; `claims` what the client says that it holds.
    pub(crate) fn ask(&mut self, ask: &Ask, visible: &BTreeSet<String>, claims: &Contents) {
        let unknown = !self.started || self.last_nonce.is_none() || ask.nonce.is_empty();
        let stale = !unknown && self.last_nonce.as_ref() != Some(&ask.nonce);
        if let Some(place) = self.open.iter().position(|nonce| *nonce == ask.nonce) {
            self.open.drain(..=place);
        }
        match self.protocol {
            Protocol::Sotw if stale => self.ask_stale(ask),
            Protocol::Sotw => self.ask_sotw(&ask.names),
            Protocol::Delta => self.ask_delta(ask, visible, claims),
        }
        self.started = true;
        self.cut();
    }

    /// The request was sent before the last response was seen, and will be ignored.
    fn ask_stale(&mut self, ask: &Ask) {
        let last = self.last_nonce.as_deref().unwrap_or_default();
        let ours = ask.nonce.len() == last.len()
            && ask.nonce.bytes().all(|digit| b"0123456789abcdef".contains(&digit))
            && &*ask.nonce < last;
        if self.type_id.is_full_state() || self.open.is_empty() || !ours {
            return;
        }
        let (named, collections, _) = split(&ask.names);
        let kept = |name: &String| {
            named.contains(name)
                || self.brought.get(name).is_some_and(|nonce| *nonce > ask.nonce)
                || collection_of(name).is_some_and(|of| collections.contains(&of))
        };
        let dropped: Vec<String> = self.held.keys().filter(|name| !kept(name)).cloned().collect();
        for name in dropped {
            self.held.remove(&name);
            self.lapsed.insert(name);
        }
    }

    fn ask_sotw(&mut self, names: &[String]) {
        let (named, collections, star) = split(names);
        let allowed = self.type_id.allows_wildcard();
        self.legacy = allowed && names.is_empty() && (!self.started || self.legacy);
        let wildcard = (star && allowed) || self.legacy;
        let new: BTreeSet<String> = named
            .iter()
            .filter(|name| !self.names.contains(*name) || self.lapsed.contains(*name))
            .cloned()
            .collect();
        let wider = (wildcard && !self.wildcard) || !collections.is_subset(&self.collections);
        self.owed_set |= self.type_id.is_full_state() && (wider || !new.is_empty());
        self.lapsed.retain(|name| !named.contains(name));
        self.owed.extend(new);
        (self.wildcard, self.names, self.collections) = (wildcard, named, collections);
    }

    fn ask_delta(&mut self, ask: &Ask, visible: &BTreeSet<String>, claims: &Contents) {
        let (named, collections, star) = split(&ask.names);
        let allowed = self.type_id.allows_wildcard();
        let again = (star && self.wildcard && !self.legacy) || !collections.is_disjoint(&self.collections);
        // So is one that stands in the request twice.
        let wide = ask.names.iter().filter(|name| *name == "*" || is_collection(&canonical_name(name)));
        self.again |= wide.count() > collections.len() + usize::from(star);
        if !self.started && allowed && ask.names.is_empty() && ask.gone.is_empty() {
            (self.wildcard, self.legacy) = (true, true);
        } else if !ask.names.is_empty() {
            self.wildcard |= star && allowed;
            self.legacy = false;
        }
        self.owed.extend(named.iter().cloned());
        self.names.extend(named);
        self.collections.extend(collections);
        let (gone, gone_collections, star_gone) = split(&ask.gone);
        self.wildcard &= !star_gone;
        self.collections.retain(|name| !gone_collections.contains(name));
        self.legacy &= self.wildcard;
        for name in gone {
            // What nothing covers any more is no longer owed either.
            if self.names.remove(&name) {
                self.owed.insert(name);
            }
        }
        self.again |= again;
        if star_gone || !gone_collections.is_empty() {
            self.owed_again.clear();
        } else if again {
            let swept: Vec<String> = visible.iter().filter(|name| self.sweeps(name)).cloned().collect();
            self.owed_again.extend(swept);
        }
        if !self.started {
            for (name, (version, content)) in claims {
                if self.covers(name) {
                    self.held.insert(name.clone(), content.clone());
                    self.versions.insert(name.clone(), version.clone());
                    self.owed.remove(name);
                }
            }
        }
    }

    /// Something that names these came: they come (again), if they are there.
    pub(crate) fn follow(&mut self, names: &[String]) {
        let covered: Vec<String> = names.iter().filter(|name| self.covers(name)).cloned().collect();
        self.owed_again.extend(covered);
    }

    /// Drop what is no longer wanted.
    fn cut(&mut self) {
        let names = self.held.keys().chain(&self.owed).chain(&self.owed_again).chain(&self.lapsed);
        let uncovered: Vec<String> = names.filter(|name| !self.covers(name)).cloned().collect();
        for name in uncovered {
            self.held.remove(&name);
            self.owed.remove(&name);
            self.owed_again.remove(&name);
            self.lapsed.remove(&name);
        }
        self.alive.retain(|name, _| self.held.contains_key(name));
        self.naming.retain(|name, _| self.held.contains_key(name));
        self.versions.retain(|name, _| self.held.contains_key(name));
    }

    /// A response came.
    pub(crate) fn take(&mut self, reply: &Reply, now: Duration) {
        assert!(self.started, "an answer to no question");
        self.open.push_back(reply.nonce.clone());
        self.last_nonce = Some(reply.nonce.clone());
        for name in reply.resources.keys() {
            self.brought.insert(name.clone(), reply.nonce.clone());
            self.lapsed.remove(name);
        }
        let full = self.protocol == Protocol::Sotw && self.type_id.is_full_state();
        let told = reply.resources.keys().chain(&reply.removed).chain(reply.beats.keys());
        for name in told.chain(reply.errors.keys()) {
            assert!(self.covers(name), "{name} is not wanted");
        }
        for (name, version) in &reply.versions {
            // Versions decide, as in initial_resource_versions: one with another time to live is another version, and a
            // client that ignores the time must learn the version all the same.
            let same = self.protocol == Protocol::Delta && self.versions.get(name) == Some(version);
            let wanted = self.again || self.owed.contains(name) || self.owed_again.contains(name);
            assert!(!same || wanted, "{name} did not change");
        }
        let removed: BTreeSet<&String> = reply.removed.iter().collect();
        assert_eq!(removed.len(), reply.removed.len(), "removed names are unique");
        if full {
            assert!(reply.beats.is_empty(), "a set without its resources");
            self.held.clear();
            self.owed_set = false;
        }
        for (name, content) in &reply.resources {
            self.held.insert(name.clone(), Some(content.clone()));
            match reply.ttls.get(name) {
                Some(ttl) => drop(self.alive.insert(name.clone(), (now, *ttl))),
                None => drop(self.alive.remove(name)),
            }
        }
        for (name, version) in &reply.beats {
            let held = self.protocol == Protocol::Sotw || self.versions.get(name) == Some(version);
            assert!(held, "a heartbeat keeps the version of {name} that the client holds");
            if let Some((at, _)) = self.alive.get_mut(name) {
                *at = now;
            }
        }
        if self.protocol == Protocol::Delta {
            self.versions.extend(reply.versions.clone());
        }
        for name in &reply.removed {
            self.held.remove(name);
            self.versions.remove(name);
            self.naming.remove(name);
        }
        for name in reply.resources.keys().chain(&reply.removed) {
            self.owed.remove(name);
            self.owed_again.remove(name);
        }
        self.alive.retain(|name, _| self.held.contains_key(name));
    }

    /// Nothing is on its way, and every name has an answer: `there` is what the store holds for the subscription.
    pub(crate) fn check(&self, store: &Contents) {
        let there = store.iter().map(|(name, (_, content))| (name.clone(), content.clone()));
        let there: BTreeMap<String, Option<String>> = there.collect();
        if self.protocol == Protocol::Delta {
            let versions = store.iter().map(|(name, (version, _))| (name.clone(), version.clone()));
            assert_eq!(self.versions, versions.collect(), "{self:?}");
        }
        if self.protocol == Protocol::Delta || self.type_id.is_full_state() {
            assert_eq!(self.held, there, "{self:?}");
        } else {
            // State of the world cannot tell that one of these is gone.
            let kept = there.iter().filter(|(name, content)| self.held.get(*name) != Some(content));
            assert_eq!(kept.count(), 0, "{there:?} is not all in {self:?}");
        }
        let owed: Vec<&String> = match self.protocol {
            Protocol::Delta => self.owed.iter().collect(),
            Protocol::Sotw if self.type_id.is_full_state() => Vec::new(),
            Protocol::Sotw => self.owed.iter().filter(|name| there.contains_key(*name)).collect(),
        };
        assert!(owed.is_empty(), "{owed:?} never came: {self:?}");
        assert!(self.owed_again.iter().all(|name| !there.contains_key(name)), "not sent again: {self:?}");
        assert!(!self.owed_set || self.is_empty(), "no set came: {self:?}");
    }

    /// Nothing of what is there was left to die.
    pub(crate) fn check_alive(&self, there: &Contents, now: Duration) {
        for (name, (at, ttl)) in self.alive.iter().filter(|(name, _)| there.contains_key(*name)) {
            assert!(now < *at + *ttl, "{name} died at {:?}", *at + *ttl);
        }
    }
}

/// Names, glob collections, and whether there is a `*`.
fn split(names: &[String]) -> (BTreeSet<String>, BTreeSet<String>, bool) {
    let all = names.iter().map(|name| canonical_name(name).into_owned());
    let (collections, names): (BTreeSet<_>, BTreeSet<_>) = all.partition(|name| is_collection(name));
    let mut names = names;
    let star = names.remove("*");
    (names, collections, star)
}

/// `xdstp://AUTHORITY/TYPE/…/*?CONTEXT` for such a name.
fn collection_of(name: &str) -> Option<String> {
    let rest = name.strip_prefix("xdstp://")?;
    let (path, context) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let (folder, _) = path.rsplit_once('/').filter(|(folder, _)| folder.contains('/'))?;
    Some(format!("xdstp://{folder}/*{context}"))
}
