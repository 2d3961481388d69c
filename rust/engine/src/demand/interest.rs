//! The index of one shard: the streams that are subscribed to a name.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use crate::protocol::TypeId;
use crate::store::shrink_if_sparse;
use crate::wire::{WILDCARD, collection_of};

/// More streams of one name are kept as a set.
const MAX_FEW: usize = 16;

/// Change of the interest of a whole shard in `(type, name, audience)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The first stream subscribed: add to [`crate::Demand`].
    First,
    /// The last stream unsubscribed: remove from [`crate::Demand`].
    Last,
    /// Neither.
    None,
}

/// The index `(type, name) → streams` of one shard; `S` is the shard's key of a stream. Not shared, without locks.
///
/// The name [`WILDCARD`] stands for wildcard subscriptions.
#[derive(Debug)]
pub struct Interest<S> {
    types: [HashMap<Arc<str>, Subscribers<S>>; TypeId::COUNT],
}

/// The streams of one name. There are many of these, and most have one stream.
#[derive(Debug)]
struct Subscribers<S> {
    streams: Streams<S>,
    audiences: Audiences,
}

/// Popular names have thousands of streams.
#[derive(Debug)]
enum Streams<S> {
    One(S),
    Few(Vec<S>),
    Many(Box<HashSet<S>>),
}

/// Number of streams of each audience.
#[derive(Debug)]
enum Audiences {
    One(Arc<str>, u32),
    Several(Vec<(Arc<str>, u32)>),
}

impl<S: Copy + Eq + Hash> Interest<S> {
    /// An empty index.
    pub fn new() -> Interest<S> {
        Interest { types: std::array::from_fn(|_| HashMap::new()) }
    }

    /// The stream subscribes to the name. No effect if it is subscribed already.
    pub fn subscribe(
        &mut self,
        stream: S,
        audience: &Arc<str>,
        type_id: TypeId,
        name: &Arc<str>,
    ) -> Transition {
        match self.types[type_id.index()].entry(Arc::clone(name)) {
            Entry::Vacant(entry) => {
                let (streams, audiences) = (Streams::One(stream), Audiences::One(Arc::clone(audience), 1));
                entry.insert(Subscribers { streams, audiences });
                Transition::First
            }
            Entry::Occupied(mut entry) => {
                let Subscribers { streams, audiences } = entry.get_mut();
                if streams.insert(stream) { audiences.add(audience) } else { Transition::None }
            }
        }
    }

    /// The stream unsubscribes from the name. No effect if it is not subscribed.
    pub fn unsubscribe(&mut self, stream: S, audience: &Arc<str>, type_id: TypeId, name: &str) -> Transition {
        let names = &mut self.types[type_id.index()];
        let Some(named) = names.get_mut(name) else { return Transition::None };
        if !named.streams.remove(stream) {
            return Transition::None;
        }
        let transition = named.audiences.remove(audience);
        if named.streams.is_empty() {
            names.remove(name);
            shrink_if_sparse(names);
        }
        transition
    }

    /// Number of names with a subscription.
    pub fn len(&self) -> usize {
        self.types.iter().map(HashMap::len).sum()
    }

    /// Whether there is no subscription.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The streams that are subscribed to exactly this name, glob collection or [`WILDCARD`].
    pub fn subscribers_by_name(&self, type_id: TypeId, name: &str) -> impl Iterator<Item = S> + '_ {
        self.types[type_id.index()].get(name).into_iter().flat_map(|named| named.streams.iter())
    }

    /// The streams to notify of a change of the name: subscribed to it, its glob collection or the wildcard. A stream
    /// may appear more than once.
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

impl<S: Copy + Eq + Hash> Streams<S> {
    /// Returns whether it is new.
    fn insert(&mut self, stream: S) -> bool {
        match self {
            Streams::One(stream_or_audience) if *stream_or_audience == stream => return false,
            Streams::One(stream_or_audience) => *self = Streams::Few(vec![*stream_or_audience, stream]),
            Streams::Few(few) if few.contains(&stream) => return false,
            Streams::Few(few) if few.len() < MAX_FEW => few.push(stream),
            Streams::Few(few) => {
                *self = Streams::Many(Box::new(few.iter().copied().chain([stream]).collect()));
            }
            Streams::Many(many) => return many.insert(stream),
        }
        true
    }

    /// Returns whether it was subscribed.
    fn remove(&mut self, stream: S) -> bool {
        match self {
            Streams::One(stream_or_audience) if *stream_or_audience == stream => {
                *self = Streams::Few(Vec::new());
                true
            }
            Streams::One(_) => false,
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

    fn is_empty(&self) -> bool {
        match self {
            Streams::One(_) => false,
            Streams::Few(few) => few.is_empty(),
            Streams::Many(many) => many.is_empty(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = S> + '_ {
        let (stream_or_audience, few, many) = match self {
            Streams::One(stream_or_audience) => (Some(*stream_or_audience), None, None),
            Streams::Few(few) => (None, Some(few), None),
            Streams::Many(many) => (None, None, Some(many)),
        };
        let several =
            few.into_iter().flatten().copied().chain(many.into_iter().flat_map(|many| many.iter().copied()));
        stream_or_audience.into_iter().chain(several)
    }
}

impl Audiences {
    fn add(&mut self, audience: &Arc<str>) -> Transition {
        match self {
            Audiences::One(stream_or_audience, count) if *count == 0 || stream_or_audience == audience => {
                *count += 1;
                if *count > 1 {
                    return Transition::None;
                }
                *stream_or_audience = Arc::clone(audience);
            }
            Audiences::One(stream_or_audience, count) => {
                let known = (Arc::clone(stream_or_audience), *count);
                *self = Audiences::Several(vec![known, (Arc::clone(audience), 1)]);
            }
            Audiences::Several(several) => match several.iter_mut().find(|(known, _)| known == audience) {
                Some((_, count)) => {
                    *count += 1;
                    return Transition::None;
                }
                None => several.push((Arc::clone(audience), 1)),
            },
        }
        Transition::First
    }

    fn remove(&mut self, audience: &Arc<str>) -> Transition {
        match self {
            Audiences::One(stream_or_audience, count) if stream_or_audience == audience && *count > 0 => {
                *count -= 1;
                if *count > 0 { Transition::None } else { Transition::Last }
            }
            Audiences::One(..) => Transition::None,
            Audiences::Several(several) => {
                let Some(index) = several.iter().position(|(known, _)| known == audience) else {
                    return Transition::None;
                };
                several[index].1 -= 1;
                if several[index].1 > 0 {
                    return Transition::None;
                }
                several.swap_remove(index);
                Transition::Last
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::wildcard_name;

    fn subscribers(interest: &Interest<u32>, name: &str) -> Vec<u32> {
        let mut streams: Vec<u32> = interest.subscribers(TypeId::Cluster, name).collect();
        streams.sort_unstable();
        streams
    }

    #[test]
    fn transitions_are_reported_once_per_audience() {
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
    fn wildcards_get_every_name_and_themselves() {
        let mut interest = Interest::new();
        let (a, everybody): (Arc<str>, Arc<str>) = ("a".into(), "".into());
        interest.subscribe(1, &everybody, TypeId::Cluster, &a);
        interest.subscribe(2, &everybody, TypeId::Cluster, wildcard_name());
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
        let transitions =
            (0..5000).map(|stream| interest.unsubscribe(stream, &everybody, TypeId::Cluster, "a"));
        let last: Vec<_> = transitions.enumerate().filter(|(_, t)| *t == Transition::Last).collect();
        assert_eq!(last, [(4999, Transition::Last)]);
        assert!(interest.types.iter().all(HashMap::is_empty), "nothing is left behind");
    }
}
