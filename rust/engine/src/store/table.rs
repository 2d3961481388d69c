//! The resource store: `(type, name, audience) → resource | absent`.
//!
//! Independent of streams. Most names have exactly one entry, for one audience: it needs no allocation of its own.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::audience::{sees, widening};
use super::memory::shrink_if_sparse;
use super::resource::Resource;
use crate::protocol::TypeId;
use crate::wire::wildcard_name;

/// The key of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Type of the resource.
    pub type_id: TypeId,
    /// Name of the resource.
    pub name: Arc<str>,
    /// Audience that sees it: parts joined by `/`, widest first; "" is every audience.
    pub audience: Arc<str>,
}

/// One resource of a commit.
#[derive(Clone, Debug)]
pub struct Put {
    /// Key of its entry.
    pub key: Key,
    /// The resource.
    pub resource: Arc<Resource>,
}

/// Why there is no resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Text for operators.
    pub text: Arc<str>,
    /// The audience must not see a resource that may exist: clients that hold it lose it at once, without waiting for a
    /// replacement.
    pub denied: bool,
}

impl From<&str> for Reason {
    /// The resource does not exist for any audience.
    fn from(text: &str) -> Reason {
        Reason { text: text.into(), denied: false }
    }
}

/// Changes that become visible together. A key is in at most one of the lists.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// New or changed resources.
    pub put: Vec<Put>,
    /// Resources that do not exist for their audience; clients receive that.
    pub absent: Vec<(Key, Reason)>,
    /// Entries to drop. A client that subscribed by name keeps the resource and waits; one with a wildcard drops it.
    pub forget: Vec<Key>,
    /// Audiences of which all resources of a type are published: wildcards can be answered.
    pub complete: Vec<(TypeId, Arc<str>)>,
}

/// What a commit changed.
#[derive(Clone, Debug, Default)]
pub struct CommitOutcome {
    /// Names whose subscribers must be notified, each once ([`crate::WILDCARD`]: the wildcard can now be answered).
    pub changed: Vec<(TypeId, Arc<str>)>,
    /// Number of changed entries.
    pub count: usize,
}

/// Result of a lookup for one audience.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'a> {
    /// The resource.
    Present(&'a Arc<Resource>),
    /// It does not exist, for this reason.
    Absent(&'a Reason),
    /// No entry has been published yet.
    Unanswered,
}

/// One entry, for operators.
#[derive(Clone, Debug)]
pub struct EntryView<'a> {
    /// Type of the entry.
    pub type_id: TypeId,
    /// Name of the entry.
    pub name: &'a Arc<str>,
    /// Audience of the entry, exactly.
    pub audience: &'a Arc<str>,
    /// The resource, or the reason of its absence.
    pub content: Result<&'a Arc<Resource>, &'a Reason>,
}

type Content = Result<Arc<Resource>, Reason>;

#[derive(Debug)]
struct Entry {
    audience: Arc<str>,
    content: Content,
}

/// All entries of one name.
type Entries = SmallVec<[Entry; 1]>;

/// The resources of this replica. One writer, many readers: the transport puts a lock around it.
#[derive(Debug, Default)]
pub struct Store {
    types: [HashMap<Arc<str>, Entries>; TypeId::COUNT],
    complete: [HashSet<Arc<str>>; TypeId::COUNT],
    /// Number of absent entries of each type.
    absent: [usize; TypeId::COUNT],
    /// The shared string of each audience that ever had an entry: there are few of them.
    audiences: HashSet<Arc<str>>,
    /// Counts commits.
    revision: u64,
}

impl Store {
    /// An empty store, in which every name is unanswered.
    pub fn new() -> Store {
        Store::default()
    }

    /// Apply all changes at once. Equal content (bytes, references, scope, time to live) changes nothing.
    pub fn commit(&mut self, commit: Commit) -> CommitOutcome {
        self.revision += 1;
        let mut outcome = CommitOutcome::default();
        let mut seen = HashSet::new();
        let mut note = |type_id, name: Arc<str>| {
            outcome.count += 1;
            if seen.insert((type_id, Arc::clone(&name))) {
                outcome.changed.push((type_id, name));
            }
        };
        for Put { key, resource } in commit.put {
            if let Some((type_id, name)) = self.set(key, Ok(resource)) {
                note(type_id, name);
            }
        }
        for (key, reason) in commit.absent {
            if let Some((type_id, name)) = self.set(key, Err(reason)) {
                note(type_id, name);
            }
        }
        for key in commit.forget {
            if self.forget(&key) {
                note(key.type_id, key.name);
            }
        }
        for (type_id, audience) in commit.complete {
            let wildcard = (type_id, Arc::clone(wildcard_name()));
            if self.complete[type_id.index()].insert(audience) && seen.insert(wildcard.clone()) {
                outcome.changed.push(wildcard);
            }
        }
        outcome
    }

    /// Undo `complete` for exactly this audience. To be called when the demand for the wildcard was withdrawn: a later
    /// wildcard waits for a new `complete`, because the entries are no longer kept up to date.
    pub fn reopen(&mut self, type_id: TypeId, audience: &str) {
        self.complete[type_id.index()].remove(audience);
    }

    /// The entry of the most specific audience that has one: `a/b/c`, then `a/b`, then `a`, then "".
    pub fn lookup(&self, type_id: TypeId, name: &str, audience: &str) -> Lookup<'_> {
        match self.types[type_id.index()].get(name).and_then(|entries| most_specific(entries, audience)) {
            Some(Entry { content: Ok(resource), .. }) => Lookup::Present(resource),
            Some(Entry { content: Err(reason), .. }) => Lookup::Absent(reason),
            None => Lookup::Unanswered,
        }
    }

    /// The shared string of a name that has a resource for some audience.
    pub fn served_name(&self, type_id: TypeId, name: &str) -> Option<&Arc<str>> {
        let (name, entries) = self.types[type_id.index()].get_key_value(name)?;
        entries.iter().any(|entry| entry.content.is_ok()).then_some(name)
    }

    /// The resources of a name for all audiences, in no particular order.
    pub fn variants<'a>(
        &'a self,
        type_id: TypeId,
        name: &str,
    ) -> impl Iterator<Item = &'a Arc<Resource>> + use<'a> {
        let entries = self.types[type_id.index()].get(name);
        entries.into_iter().flatten().filter_map(|entry| entry.content.as_ref().ok())
    }

    /// Number of commits so far.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether wildcard subscriptions of this audience can be answered.
    pub fn is_complete(&self, type_id: TypeId, audience: &str) -> bool {
        let complete = &self.complete[type_id.index()];
        !complete.is_empty() && widening(audience).any(|wider| complete.contains(wider))
    }

    /// Every resource of a type that this audience sees, in no particular order. Iterates over all names of the type.
    pub fn visible<'a>(
        &'a self,
        type_id: TypeId,
        audience: &'a str,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<Resource>)> + 'a {
        self.types[type_id.index()].iter().filter_map(move |(name, entries)| {
            let resource = most_specific(entries, audience)?.content.as_ref().ok()?;
            Some((name, resource))
        })
    }

    /// Every entry, in no particular order.
    pub fn entries(&self) -> impl Iterator<Item = EntryView<'_>> + '_ {
        TypeId::ALL.into_iter().flat_map(move |type_id| {
            self.types[type_id.index()].iter().flat_map(move |(name, entries)| {
                entries.iter().map(move |Entry { audience, content }| EntryView {
                    type_id,
                    name,
                    audience,
                    content: content.as_ref(),
                })
            })
        })
    }

    /// Number of resources of each type, by [`TypeId::index`], without absent ones.
    pub fn resources(&self) -> [u64; TypeId::COUNT] {
        let mut counts = [0; TypeId::COUNT];
        for entry in self.entries().filter(|entry| entry.content.is_ok()) {
            counts[entry.type_id.index()] += 1;
        }
        counts
    }

    /// Number of absent entries of a type.
    pub fn absent(&self, type_id: TypeId) -> usize {
        self.absent[type_id.index()]
    }

    /// The serialised resource of exactly this entry; `None` when there is no entry or it is absent.
    pub fn body(&self, type_id: TypeId, name: &str, audience: &str) -> Option<Bytes> {
        let entries = self.types[type_id.index()].get(name)?;
        let entry = entries.iter().find(|entry| &*entry.audience == audience)?;
        entry.content.as_ref().ok().map(|resource| resource.value())
    }

    /// Returns the changed name; `None` when the entry had this content already.
    fn set(&mut self, key: Key, content: Content) -> Option<(TypeId, Arc<str>)> {
        let Key { type_id, name, audience } = key;
        let absent = &mut self.absent[type_id.index()];
        let entries = self.types[type_id.index()].entry(Arc::clone(&name)).or_default();
        let present = entries.iter_mut().find(|entry| entry.audience == audience);
        if present.as_ref().is_some_and(|entry| same_content(&entry.content, &content)) {
            return None;
        }
        *absent += usize::from(content.is_err());
        match present {
            Some(entry) => {
                *absent -= usize::from(entry.content.is_err());
                entry.content = content;
            }
            None => {
                let audience = Arc::clone(self.audiences.get_or_insert_with(&audience, Arc::clone));
                entries.push(Entry { audience, content });
            }
        }
        Some((type_id, name))
    }

    /// Returns whether there was an entry.
    fn forget(&mut self, key: &Key) -> bool {
        let names = &mut self.types[key.type_id.index()];
        let Some(entries) = names.get_mut(&key.name) else { return false };
        let Some(index) = entries.iter().position(|entry| entry.audience == key.audience) else {
            return false;
        };
        let forgotten = entries.swap_remove(index);
        self.absent[key.type_id.index()] -= usize::from(forgotten.content.is_err());
        if entries.is_empty() {
            names.remove(&key.name);
            shrink_if_sparse(names);
        }
        true
    }
}

fn most_specific<'a>(entries: &'a Entries, audience: &str) -> Option<&'a Entry> {
    let seen = entries.iter().filter(|entry| sees(audience, &entry.audience));
    seen.max_by_key(|entry| entry.audience.len())
}

fn same_content(old: &Content, new: &Content) -> bool {
    match (old, new) {
        (Ok(old), Ok(new)) => old.same_as(new),
        (Err(old), Err(new)) => old == new,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CDS: TypeId = TypeId::Cluster;

    fn key(name: &str, audience: &str) -> Key {
        Key { type_id: CDS, name: name.into(), audience: audience.into() }
    }

    fn put(name: &str, audience: &str, content: &str) -> Put {
        let resource = Resource::new(CDS, name, content.as_bytes(), Vec::new());
        Put { key: key(name, audience), resource: resource.into() }
    }

    /// What an audience sees of a name, as text.
    fn seen(store: &Store, name: &str, audience: &str) -> String {
        match store.lookup(CDS, name, audience) {
            Lookup::Present(resource) => String::from_utf8(resource.value().to_vec()).unwrap(),
            Lookup::Absent(reason) => format!("absent: {}", reason.text),
            Lookup::Unanswered => "unanswered".into(),
        }
    }

    fn changed(outcome: &CommitOutcome) -> Vec<&str> {
        outcome.changed.iter().map(|(_, name)| &**name).collect()
    }

    #[test]
    fn the_most_exact_audience_answers() {
        let mut store = Store::new();
        store.commit(Commit {
            put: vec![put("a", "", "everybody"), put("a", "grpc/core", "core")],
            absent: vec![(key("a", "grpc/core/shop"), "not for shops".into())],
            ..Commit::default()
        });
        let table = [
            ("", "everybody"),
            ("envoy", "everybody"),
            ("grpc", "everybody"),
            ("grpc/core", "core"),
            ("grpc/core/other", "core"),
            ("grpc/core/shop/7", "absent: not for shops"),
        ];
        for (audience, expected) in table {
            assert_eq!(seen(&store, "a", audience), expected, "{audience}");
        }
        assert_eq!(seen(&store, "b", "grpc"), "unanswered");
        store.commit(Commit { forget: vec![key("a", "grpc/core/shop"), key("a", "")], ..Commit::default() });
        assert_eq!(
            (seen(&store, "a", "grpc/core/shop").as_str(), seen(&store, "a", "grpc").as_str()),
            ("core", "unanswered")
        );
    }

    #[test]
    fn equal_content_changes_nothing() {
        let mut store = Store::new();
        let first = Commit {
            put: vec![put("a", "", "1"), put("a", "grpc", "2")],
            absent: vec![(key("x", ""), "why".into())],
            complete: vec![(CDS, "".into())],
            ..Commit::default()
        };
        let outcome = store.commit(first.clone());
        assert_eq!((changed(&outcome), outcome.count), (vec!["a", "x", "*"], 3), "each name once");
        let again = Commit { forget: vec![key("never", "")], ..first };
        let outcome = store.commit(again);
        assert_eq!((changed(&outcome), outcome.count), (vec![], 0));
        let refs = vec![(TypeId::Endpoint, "e".into())];
        let resource = Resource::new(CDS, "a", b"1", refs).into();
        let outcome =
            store.commit(Commit { put: vec![Put { key: key("a", ""), resource }], ..Commit::default() });
        assert_eq!(changed(&outcome), ["a"], "other references are a change");
        let outcome =
            store.commit(Commit { absent: vec![(key("a", ""), "removed".into())], ..Commit::default() });
        assert_eq!((changed(&outcome), outcome.count), (vec!["a"], 1));
    }

    #[test]
    fn an_audience_sees_its_resources() {
        let mut store = Store::new();
        store.commit(Commit {
            put: vec![put("a", "", "1"), put("b", "grpc", "2"), put("c", "envoy", "3"), put("d", "", "4")],
            absent: vec![(key("d", "grpc"), "hidden".into())],
            ..Commit::default()
        });
        let mut names: Vec<&str> = store.visible(CDS, "grpc/core").map(|(name, _)| &**name).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(store.visible(TypeId::Listener, "grpc").count(), 0);
        assert_eq!(store.entries().count(), 5);
        assert_eq!(store.resources(), TypeId::ALL.map(|type_id| if type_id == CDS { 4 } else { 0 }));
        let hidden = store.entries().find(|entry| entry.content.is_err()).unwrap();
        assert_eq!((&**hidden.name, &**hidden.audience, hidden.type_id), ("d", "grpc", CDS));
    }

    #[test]
    fn bodies_are_of_exactly_one_entry() {
        let mut store = Store::new();
        store.commit(Commit {
            put: vec![put("a", "grpc", "1")],
            absent: vec![(key("x", ""), "why".into())],
            ..Commit::default()
        });
        assert_eq!(store.body(CDS, "a", "grpc").as_deref(), Some(b"1".as_slice()));
        for (name, audience) in [("a", "grpc/core"), ("a", ""), ("x", ""), ("never", "")] {
            assert_eq!(store.body(CDS, name, audience), None);
        }
    }

    #[test]
    fn completeness_holds_for_narrower_audiences_until_taken_back() {
        let mut store = Store::new();
        store.commit(Commit { complete: vec![(CDS, "grpc".into())], ..Commit::default() });
        let complete = |store: &Store| {
            ["", "grpc", "grpc/core", "envoy"].map(|audience| store.is_complete(CDS, audience))
        };
        assert_eq!(complete(&store), [false, true, true, false]);
        assert!(!store.is_complete(TypeId::Listener, "grpc"));
        store.reopen(CDS, "grpc/core");
        assert_eq!(complete(&store), [false, true, true, false], "exactly this audience");
        store.reopen(CDS, "grpc");
        assert_eq!(complete(&store), [false; 4]);
    }
}
