//! Which streams of one shard a changed name touches.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use crate::xdstp::collection_of;
use crate::{TypeId, WILDCARD};

/// From so many streams of one name on they are a set.
const MANY: usize = 16;

/// How the interest of a whole shard in `(type, name, audience)` moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The first stream came: add to [`crate::Demand`].
    First,
    /// The last stream went: remove from [`crate::Demand`].
    Last,
    /// Neither.
    None,
}

/// The index `(type, name) → streams` of one shard; `S` is the shard's own key of a stream. Not shared, no locks.
///
/// [`WILDCARD`] as a name stands for wildcard subscriptions.
#[derive(Debug)]
pub struct Interest<S> {
    types: [HashMap<Arc<str>, Named<S>>; TypeId::COUNT],
}

/// Who wants one name.
#[derive(Debug)]
struct Named<S> {
    streams: Streams<S>,
    /// How many of the streams are of each audience.
    audiences: SmallVec<[(Arc<str>, u32); 1]>,
}

/// Most names have a stream or two, a hot one has thousands.
#[derive(Debug)]
enum Streams<S> {
    Few(SmallVec<[S; 2]>),
    Many(HashSet<S>),
}

impl<S: Copy + Eq + Hash> Interest<S> {
    /// An index of nothing.
    pub fn new() -> Interest<S> {
        Interest { types: std::array::from_fn(|_| HashMap::new()) }
    }

    /// The stream wants to hear of the name. Doing it twice is a no-op.
    pub fn subscribe(
        &mut self,
        stream: S,
        audience: &Arc<str>,
        type_id: TypeId,
        name: &Arc<str>,
    ) -> Transition {
        let named = self.types[type_id.index()].entry_ref(name).or_default();
        if !named.streams.insert(stream) {
            return Transition::None;
        }
        match named.audiences.iter_mut().find(|(known, _)| known == audience) {
            Some((_, count)) => {
                *count += 1;
                Transition::None
            }
            None => {
                named.audiences.push((Arc::clone(audience), 1));
                Transition::First
            }
        }
    }

    /// The stream no longer wants to hear of the name. Not having wanted it is a no-op.
    pub fn unsubscribe(&mut self, stream: S, audience: &Arc<str>, type_id: TypeId, name: &str) -> Transition {
        let names = &mut self.types[type_id.index()];
        let Some(named) = names.get_mut(name) else { return Transition::None };
        if !named.streams.remove(stream) {
            return Transition::None;
        }
        let Some(index) = named.audiences.iter().position(|(known, _)| known == audience) else {
            return Transition::None;
        };
        named.audiences[index].1 -= 1;
        if named.audiences[index].1 > 0 {
            return Transition::None;
        }
        named.audiences.swap_remove(index);
        if named.audiences.is_empty() {
            names.remove(name);
        }
        Transition::Last
    }

    /// Take out a stream that ended; `names` are its [`crate::Stream::interests`]. `last` is called for each name
    /// nobody of the audience wants any more.
    pub fn remove_stream<'a>(
        &mut self,
        stream: S,
        audience: &Arc<str>,
        names: impl Iterator<Item = (TypeId, &'a Arc<str>)>,
        mut last: impl FnMut(TypeId, &'a Arc<str>),
    ) {
        for (type_id, name) in names {
            if self.unsubscribe(stream, audience, type_id, name) == Transition::Last {
                last(type_id, name);
            }
        }
    }

    /// How many names somebody is interested in.
    pub fn len(&self) -> usize {
        self.types.iter().map(HashMap::len).sum()
    }

    /// Whether nobody is interested in anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Streams to tell of a change: those that named it or its glob collection and the wildcards (a stream may come
    /// more than once).
    pub fn subscribers(&self, type_id: TypeId, name: &str) -> impl Iterator<Item = S> + '_ {
        let names = &self.types[type_id.index()];
        let named = names.get(name).filter(|_| name != WILDCARD);
        let collection = collection_of(name).and_then(|collection| names.get(&*collection));
        let wide = collection.into_iter().chain(names.get(WILDCARD));
        named.into_iter().chain(wide).flat_map(|named| named.streams.iter())
    }
}

impl<S: Copy + Eq + Hash> Default for Interest<S> {
    fn default() -> Self {
        Interest::new()
    }
}

impl<S> Default for Named<S> {
    fn default() -> Self {
        Named { streams: Streams::Few(SmallVec::new()), audiences: SmallVec::new() }
    }
}

impl<S: Copy + Eq + Hash> Streams<S> {
    /// Returns whether it was not in.
    fn insert(&mut self, stream: S) -> bool {
        match self {
            Streams::Few(few) if few.contains(&stream) => false,
            Streams::Few(few) if few.len() < MANY => {
                few.push(stream);
                true
            }
            Streams::Few(few) => {
                *self = Streams::Many(few.iter().copied().chain([stream]).collect());
                true
            }
            Streams::Many(many) => many.insert(stream),
        }
    }

    /// Returns whether it was in.
    fn remove(&mut self, stream: S) -> bool {
        match self {
            Streams::Few(few) => match few.iter().position(|&known| known == stream) {
                Some(index) => {
                    few.swap_remove(index);
                    true
                }
                None => false,
            },
            Streams::Many(many) => many.remove(&stream),
        }
    }

    fn iter(&self) -> impl Iterator<Item = S> + '_ {
        let (few, many) = match self {
            Streams::Few(few) => (Some(few), None),
            Streams::Many(many) => (None, Some(many)),
        };
        few.into_iter().flatten().copied().chain(many.into_iter().flatten().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribers(interest: &Interest<u32>, name: &str) -> Vec<u32> {
        let mut streams: Vec<u32> = interest.subscribers(TypeId::Cluster, name).collect();
        streams.sort_unstable();
        streams
    }

    #[test]
    fn transitions_are_told_once_per_audience() {
        let mut interest = Interest::new();
        let (a, grpc, envoy): (Arc<str>, Arc<str>, Arc<str>) = ("a".into(), "grpc".into(), "envoy".into());
        let cds = TypeId::Cluster;
        assert_eq!(interest.subscribe(1, &grpc, cds, &a), Transition::First);
        assert_eq!(interest.subscribe(1, &grpc, cds, &a), Transition::None);
        assert_eq!(interest.subscribe(2, &grpc, cds, &a), Transition::None);
        assert_eq!(interest.subscribe(3, &envoy, cds, &a), Transition::First);
        assert_eq!(interest.subscribe(3, &envoy, TypeId::Endpoint, &a), Transition::First);
        assert_eq!(subscribers(&interest, "a"), [1, 2, 3]);
        assert_eq!(interest.unsubscribe(1, &grpc, cds, "a"), Transition::None);
        assert_eq!(interest.unsubscribe(1, &grpc, cds, "a"), Transition::None);
        assert_eq!(interest.unsubscribe(3, &envoy, cds, "a"), Transition::Last);
        assert_eq!(interest.unsubscribe(2, &grpc, cds, "a"), Transition::Last);
        assert_eq!(interest.unsubscribe(2, &grpc, cds, "never"), Transition::None);
        assert!(subscribers(&interest, "a").is_empty());
    }

    #[test]
    fn wildcards_hear_of_every_name_and_of_themselves() {
        let mut interest = Interest::new();
        let (a, everybody): (Arc<str>, Arc<str>) = ("a".into(), "".into());
        interest.subscribe(1, &everybody, TypeId::Cluster, &a);
        interest.subscribe(2, &everybody, TypeId::Cluster, crate::wildcard_name());
        assert_eq!(subscribers(&interest, "a"), [1, 2]);
        assert_eq!(subscribers(&interest, "b"), [2]);
        assert_eq!(subscribers(&interest, WILDCARD), [2]);
    }

    #[test]
    fn thousands_of_streams_come_and_go() {
        let mut interest = Interest::new();
        let (a, everybody): (Arc<str>, Arc<str>) = ("a".into(), "".into());
        for stream in 0..5000 {
            interest.subscribe(stream, &everybody, TypeId::Cluster, &a);
        }
        assert_eq!(interest.subscribers(TypeId::Cluster, "a").count(), 5000);
        let mut last = Vec::new();
        for stream in 0..5000 {
            let names = [(TypeId::Cluster, &a)].into_iter();
            interest.remove_stream(stream, &everybody, names, |_, name| last.push(Arc::clone(name)));
        }
        assert_eq!(last, [a]);
        assert!(interest.types.iter().all(HashMap::is_empty), "nothing is left behind");
    }
}
