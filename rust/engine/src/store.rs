//! The resource store: `(type, name, audience) → resource | absent`.

use std::sync::Arc;

use bytes::Bytes;

use crate::TypeId;

/// What names an entry of the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Type of the resource.
    pub type_id: TypeId,
    /// Name of the resource.
    pub name: Arc<str>,
    /// Who sees it: parts joined by `/`, widest first; "" is everybody.
    pub audience: Arc<str>,
}

/// One resource, encoded once, shared by every receiver.
#[derive(Debug)]
pub struct Resource {
    version: u64,
    refs: Box<[(TypeId, Arc<str>)]>,
}

impl Resource {
    /// Encode a serialised message of the given type. Costs a hash and a copy of the bytes: do it outside of locks.
    pub fn new(_type_id: TypeId, _name: &str, _value: &[u8], _refs: Vec<(TypeId, Arc<str>)>) -> Resource {
        todo!()
    }

    /// Hash of the content; equal content has an equal version on every replica.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Other resources that this one names.
    pub fn refs(&self) -> &[(TypeId, Arc<str>)] {
        &self.refs
    }

    /// The serialised message, without the `Any` around it.
    pub fn value(&self) -> Bytes {
        todo!()
    }
}

/// One resource of a commit.
#[derive(Clone, Debug)]
pub struct Put {
    /// Where it goes.
    pub key: Key,
    /// What goes there.
    pub resource: Arc<Resource>,
}

/// Changes that become visible together. A key stands in at most one of the lists.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// New or changed resources.
    pub put: Vec<Put>,
    /// Resources known not to exist, each with a reason for operators; clients are told.
    pub absent: Vec<(Key, Arc<str>)>,
    /// Entries to drop. A named subscription keeps what it has and waits; a wildcard drops the resource.
    pub forget: Vec<Key>,
    /// All resources of the type for the audience are published: wildcards may be answered.
    pub complete: Vec<(TypeId, Arc<str>)>,
}

/// What a commit changed.
#[derive(Clone, Debug, Default)]
pub struct CommitOutcome {
    /// Names whose subscribers must look again ([`crate::WILDCARD`]: the wildcard itself became answerable).
    pub changed: Vec<(TypeId, Arc<str>)>,
    /// How many entries changed.
    pub count: usize,
}

/// What the store knows of a name, as one audience sees it.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'a> {
    /// It exists.
    Found(&'a Arc<Resource>),
    /// It is known not to exist, for this reason.
    Absent(&'a Arc<str>),
    /// Nobody has said yet.
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
    /// The resource, or the reason why there is none.
    pub content: Result<&'a Arc<Resource>, &'a Arc<str>>,
}

/// The resources of this replica. One writer, many readers: the transport puts a lock around it.
#[derive(Debug, Default)]
pub struct Store {}

impl Store {
    /// An empty store, in which every name is unanswered.
    pub fn new() -> Store {
        Store::default()
    }

    /// Apply all changes at once. Equal content (bytes and references) changes nothing.
    pub fn commit(&mut self, _commit: Commit) -> CommitOutcome {
        todo!()
    }

    /// Take back `complete` for exactly this audience: call it when the demand for the wildcard was withdrawn, so
    /// that a later wildcard waits for a fresh `complete` and never sees what nobody kept up to date.
    pub fn reopen(&mut self, _type_id: TypeId, _audience: &str) {
        todo!()
    }

    /// The entry of the most exact audience that has one: `a/b/c`, then `a/b`, then `a`, then "".
    pub fn lookup(&self, _type_id: TypeId, _name: &str, _audience: &str) -> Lookup<'_> {
        todo!()
    }

    /// Whether wildcard subscriptions of this audience may be answered.
    pub fn is_complete(&self, _type_id: TypeId, _audience: &str) -> bool {
        todo!()
    }

    /// Every resource of a type that this audience sees, in no particular order. Costs all names of the type.
    pub fn visible<'a>(
        &'a self,
        _type_id: TypeId,
        _audience: &'a str,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<Resource>)> + 'a {
        todo!();
        #[allow(unreachable_code)]
        std::iter::empty()
    }

    /// Every entry, in no particular order.
    pub fn entries(&self) -> impl Iterator<Item = EntryView<'_>> + '_ {
        todo!();
        #[allow(unreachable_code)]
        std::iter::empty()
    }

    /// The serialised resource of exactly this entry; `None` when there is no entry or it is absent.
    pub fn body(&self, _type_id: TypeId, _name: &str, _audience: &str) -> Option<Bytes> {
        todo!()
    }
}
