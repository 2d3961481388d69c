//! A model of one client and one type: the resources that it holds and the responses that are due, in plain sets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use steerway_engine::{Protocol, TypeId, canonical_name, is_collection};

use crate::world::{Reply, Request};

/// Version and content by name; no content: a version of another server.
pub(crate) type Contents = BTreeMap<String, (String, Option<String>)>;

/// One type on one stream, as the client sees it.
#[derive(Debug)]
pub(crate) struct Half {
    pub(crate) type_id: TypeId,
    protocol: Protocol,
    pub(crate) started: bool,
    pub(crate) wildcard: bool,
    /// No request listed a name.
    legacy: bool,
    names: BTreeSet<String>,
    collections: BTreeSet<String>,
    /// Content by name; `None`: of another server.
    pub(crate) held: BTreeMap<String, Option<String>>,
    /// The version of each of them (delta).
    versions: BTreeMap<String, String>,
    /// Dropped by a request that the server ignored: they must be sent again when they are listed again.
    dropped: BTreeSet<String>,
    /// Names that were requested and not sent since.
    pub(crate) due: BTreeSet<String>,
    /// The same, if they exist.
    pub(crate) due_again: BTreeSet<String>,
    /// References of the resources to the type that they warm with (delta).
    pub(crate) naming: BTreeMap<String, Vec<String>>,
    /// A whole set was requested, and none was sent since.
    pub(crate) set_due: bool,
    /// All names were requested again: each may be sent unchanged.
    again: bool,
    pub(crate) last_nonce: Option<String>,
    /// Nonces of responses without an answer, oldest first.
    pub(crate) open: VecDeque<String>,
    /// The last response that carried each name.
    carried_by: BTreeMap<String, String>,
    /// Resources with a time to live: the time of the last response that names them, and the time to live.
    pub(crate) expiring: BTreeMap<String, (Duration, Duration)>,
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
            dropped: BTreeSet::new(),
            due: BTreeSet::new(),
            due_again: BTreeSet::new(),
            naming: BTreeMap::new(),
            set_due: false,
            again: false,
            last_nonce: None,
            open: VecDeque::new(),
            carried_by: BTreeMap::new(),
            expiring: BTreeMap::new(),
        }
    }

    fn covers_by_wildcard(&self, name: &str) -> bool {
        self.wildcard || collection_of(name).is_some_and(|of| self.collections.contains(&of))
    }

    pub(crate) fn covers(&self, name: &str) -> bool {
        self.names.contains(name) || self.covers_by_wildcard(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.wildcard && self.collections.is_empty() && self.names.is_empty()
    }

    /// The requested names and collections, without the wildcard.
    pub(crate) fn named(&self) -> BTreeSet<String> {
        &self.names | &self.collections
    }

    /// The names in the next request of a correct client.
    pub(crate) fn list(&self) -> Vec<String> {
        let wildcard_listed = (self.wildcard && !self.legacy).then(|| "*".to_owned());
        self.named().into_iter().chain(wildcard_listed).collect()
    }

    /// A request was applied. `visible`: names that the server has; `claims`: resources that the client announces.
    pub(crate) fn request(&mut self, request: &Request, visible: &BTreeSet<String>, claims: &Contents) {
        let unknown = !self.started || self.last_nonce.is_none() || request.nonce.is_empty();
        let stale = !unknown && self.last_nonce.as_ref() != Some(&request.nonce);
        if let Some(position) = self.open.iter().position(|nonce| *nonce == request.nonce) {
            self.open.drain(..=position);
        }
        match self.protocol {
            Protocol::Sotw if stale => self.ask_stale(request),
            Protocol::Sotw => self.ask_sotw(&request.names),
            Protocol::Delta => self.ask_delta(request, visible, claims),
        }
        self.started = true;
        self.drop_uncovered();
    }

    /// The request was sent before the last response was seen, and will be ignored.
    fn ask_stale(&mut self, request: &Request) {
        let last = self.last_nonce.as_deref().unwrap_or_default();
        let ours = request.nonce.len() == last.len()
            && request.nonce.bytes().all(|digit| b"0123456789abcdef".contains(&digit))
            && &*request.nonce < last;
        if self.type_id.is_full_state() || self.open.is_empty() || !ours {
            return;
        }
        let (named, collections, _) = split(&request.names);
        let kept = |name: &String| {
            named.contains(name)
                || self.carried_by.get(name).is_some_and(|nonce| *nonce > request.nonce)
                || collection_of(name).is_some_and(|of| collections.contains(&of))
        };
        let dropped: Vec<String> = self.held.keys().filter(|name| !kept(name)).cloned().collect();
        for name in dropped {
            self.held.remove(&name);
            self.dropped.insert(name);
        }
    }

    fn ask_sotw(&mut self, names: &[String]) {
        let (named, collections, wildcard_listed) = split(names);
        let allowed = self.type_id.allows_wildcard();
        self.legacy = allowed && names.is_empty() && (!self.started || self.legacy);
        let wildcard = (wildcard_listed && allowed) || self.legacy;
        let new: BTreeSet<String> = named
            .iter()
            .filter(|name| !self.names.contains(*name) || self.dropped.contains(*name))
            .cloned()
            .collect();
        let wider = (wildcard && !self.wildcard) || !collections.is_subset(&self.collections);
        self.set_due |= self.type_id.is_full_state() && (wider || !new.is_empty());
        self.dropped.retain(|name| !named.contains(name));
        self.due.extend(new);
        (self.wildcard, self.names, self.collections) = (wildcard, named, collections);
    }

    fn ask_delta(&mut self, request: &Request, visible: &BTreeSet<String>, claims: &Contents) {
        let (named, collections, wildcard_listed) = split(&request.names);
        let allowed = self.type_id.allows_wildcard();
        let again =
            (wildcard_listed && self.wildcard && !self.legacy) || !collections.is_disjoint(&self.collections);
        // The same for one that is in the request twice.
        let wide = request.names.iter().filter(|name| *name == "*" || is_collection(&canonical_name(name)));
        self.again |= wide.count() > collections.len() + usize::from(wildcard_listed);
        if !self.started && allowed && request.names.is_empty() && request.unsubscribed.is_empty() {
            (self.wildcard, self.legacy) = (true, true);
        } else if !request.names.is_empty() {
            self.wildcard |= wildcard_listed && allowed;
            self.legacy = false;
        }
        self.due.extend(named.iter().cloned());
        self.names.extend(named);
        self.collections.extend(collections);
        let (unsubscribed, unsubscribed_collections, wildcard_removed) = split(&request.unsubscribed);
        self.wildcard &= !wildcard_removed;
        self.collections.retain(|name| !unsubscribed_collections.contains(name));
        self.legacy &= self.wildcard;
        for name in unsubscribed {
            // A name that nothing covers is no longer due either.
            if self.names.remove(&name) {
                self.due.insert(name);
            }
        }
        self.again |= again;
        if wildcard_removed || !unsubscribed_collections.is_empty() {
            self.due_again.clear();
        } else if again {
            let covered: Vec<String> =
                visible.iter().filter(|name| self.covers_by_wildcard(name)).cloned().collect();
            self.due_again.extend(covered);
        }
        if !self.started {
            for (name, (version, content)) in claims {
                if self.covers(name) {
                    self.held.insert(name.clone(), content.clone());
                    self.versions.insert(name.clone(), version.clone());
                    self.due.remove(name);
                }
            }
        }
    }

    /// A resource that names them was sent: they are sent (again), if they exist.
    pub(crate) fn require_again(&mut self, names: &[String]) {
        let covered: Vec<String> = names.iter().filter(|name| self.covers(name)).cloned().collect();
        self.due_again.extend(covered);
    }

    /// Drop the names without a subscription.
    fn drop_uncovered(&mut self) {
        let names = self.held.keys().chain(&self.due).chain(&self.due_again).chain(&self.dropped);
        let uncovered: Vec<String> = names.filter(|name| !self.covers(name)).cloned().collect();
        for name in uncovered {
            self.held.remove(&name);
            self.due.remove(&name);
            self.due_again.remove(&name);
            self.dropped.remove(&name);
        }
        self.expiring.retain(|name, _| self.held.contains_key(name));
        self.naming.retain(|name, _| self.held.contains_key(name));
        self.versions.retain(|name, _| self.held.contains_key(name));
    }

    /// Apply a response.
    pub(crate) fn apply(&mut self, reply: &Reply, now: Duration) {
        assert!(self.started, "a response without a request");
        self.open.push_back(reply.nonce.clone());
        self.last_nonce = Some(reply.nonce.clone());
        for name in reply.resources.keys() {
            self.carried_by.insert(name.clone(), reply.nonce.clone());
            self.dropped.remove(name);
        }
        let full = self.protocol == Protocol::Sotw && self.type_id.is_full_state();
        let reported = reply.resources.keys().chain(&reply.removed).chain(reply.heartbeats.keys());
        for name in reported.chain(reply.errors.keys()) {
            assert!(self.covers(name), "no subscription to {name}");
        }
        for (name, version) in &reply.versions {
            // Versions decide, as in initial_resource_versions: another time to live is another version, and a client
            // without TTL support must learn the version all the same.
            let same = self.protocol == Protocol::Delta && self.versions.get(name) == Some(version);
            let wanted = self.again || self.due.contains(name) || self.due_again.contains(name);
            assert!(!same || wanted, "{name} did not change");
        }
        let removed: BTreeSet<&String> = reply.removed.iter().collect();
        assert_eq!(removed.len(), reply.removed.len(), "removed names are unique");
        if full {
            assert!(reply.heartbeats.is_empty(), "a set without its resources");
            self.held.clear();
            self.set_due = false;
        }
        for (name, content) in &reply.resources {
            self.held.insert(name.clone(), Some(content.clone()));
            match reply.ttls.get(name) {
                Some(ttl) => drop(self.expiring.insert(name.clone(), (now, *ttl))),
                None => drop(self.expiring.remove(name)),
            }
        }
        for (name, version) in &reply.heartbeats {
            let held = self.protocol == Protocol::Sotw || self.versions.get(name) == Some(version);
            assert!(held, "a heartbeat keeps the version of {name} that the client holds");
            if let Some((at, _)) = self.expiring.get_mut(name) {
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
            self.due.remove(name);
            self.due_again.remove(name);
        }
        self.expiring.retain(|name, _| self.held.contains_key(name));
    }

    /// No response is open, and every name has an entry: `store` has the resources of the subscription.
    pub(crate) fn check(&self, store: &Contents) {
        let expected = store.iter().map(|(name, (_, content))| (name.clone(), content.clone()));
        let expected: BTreeMap<String, Option<String>> = expected.collect();
        if self.protocol == Protocol::Delta {
            let versions = store.iter().map(|(name, (version, _))| (name.clone(), version.clone()));
            assert_eq!(self.versions, versions.collect(), "{self:?}");
        }
        if self.protocol == Protocol::Delta || self.type_id.is_full_state() {
            assert_eq!(self.held, expected, "{self:?}");
        } else {
            // State of the world does not report removals.
            let kept = expected.iter().filter(|(name, content)| self.held.get(*name) != Some(content));
            assert_eq!(kept.count(), 0, "{expected:?} is not all in {self:?}");
        }
        let due: Vec<&String> = match self.protocol {
            Protocol::Delta => self.due.iter().collect(),
            Protocol::Sotw if self.type_id.is_full_state() => Vec::new(),
            Protocol::Sotw => self.due.iter().filter(|name| expected.contains_key(*name)).collect(),
        };
        assert!(due.is_empty(), "{due:?} was not sent: {self:?}");
        assert!(self.due_again.iter().all(|name| !expected.contains_key(name)), "not sent again: {self:?}");
        assert!(!self.set_due || self.is_empty(), "no set was sent: {self:?}");
    }

    /// No existing resource has expired.
    pub(crate) fn check_expiring(&self, expected: &Contents, now: Duration) {
        for (name, (at, ttl)) in self.expiring.iter().filter(|(name, _)| expected.contains_key(*name)) {
            assert!(now < *at + *ttl, "{name} expired at {:?}", *at + *ttl);
        }
    }
}

/// Names, glob collections, and whether the wildcard is listed.
fn split(names: &[String]) -> (BTreeSet<String>, BTreeSet<String>, bool) {
    let all = names.iter().map(|name| canonical_name(name).into_owned());
    let (collections, names): (BTreeSet<_>, BTreeSet<_>) = all.partition(|name| is_collection(name));
    let mut names = names;
    let wildcard_listed = names.remove("*");
    (names, collections, wildcard_listed)
}

/// `xdstp://AUTHORITY/TYPE/…/*?CONTEXT` for such a name.
fn collection_of(name: &str) -> Option<String> {
    let rest = name.strip_prefix("xdstp://")?;
    let (path, context) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let (folder, _) = path.rsplit_once('/').filter(|(folder, _)| folder.contains('/'))?;
    Some(format!("xdstp://{folder}/*{context}"))
}
