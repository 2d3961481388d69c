//! Which streams of one shard a changed name touches.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::TypeId;

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
/// [`crate::WILDCARD`] as a name stands for wildcard subscriptions.
#[derive(Debug)]
pub struct Interest<S> {
    _streams: PhantomData<S>,
}

impl<S: Copy + Eq + Hash> Interest<S> {
    /// An index of nothing.
    pub fn new() -> Interest<S> {
        todo!()
    }

    /// The stream wants to hear of the name. Doing it twice is a no-op.
    pub fn subscribe(
        &mut self,
        _stream: S,
        _audience: &Arc<str>,
        _type_id: TypeId,
        _name: &Arc<str>,
    ) -> Transition {
        todo!()
    }

    /// The stream no longer wants to hear of the name. Not having wanted it is a no-op.
    pub fn unsubscribe(
        &mut self,
        _stream: S,
        _audience: &Arc<str>,
        _type_id: TypeId,
        _name: &str,
    ) -> Transition {
        todo!()
    }

    /// Take out a stream that ended; `names` are its [`crate::Stream::interests`]. `last` is called for each name
    /// nobody of the audience wants any more.
    pub fn remove_stream<'a>(
        &mut self,
        _stream: S,
        _audience: &Arc<str>,
        _names: impl Iterator<Item = (TypeId, &'a Arc<str>)>,
        _last: impl FnMut(TypeId, &'a Arc<str>),
    ) {
        todo!()
    }

    /// Streams to tell of a change: those that named it and the wildcards (a stream may come twice).
    pub fn subscribers(&self, _type_id: TypeId, _name: &str) -> impl Iterator<Item = S> + '_ {
        todo!();
        #[allow(unreachable_code)]
        std::iter::empty()
    }
}

impl<S: Copy + Eq + Hash> Default for Interest<S> {
    fn default() -> Self {
        Interest::new()
    }
}
