//! The open discovery streams of one shard.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use steerway_engine::{Protocol, Service, TypeId};

use crate::net::peer::Token;
use crate::observe::panic::catch;
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::shard::Shard;
use crate::xds::scan::{StreamFilter, scan};
use crate::xds::stream_handle::StreamHandle;
use crate::xds::stream_view::StreamView;

/// The streams by id.
pub(crate) struct Streams {
    pub(crate) shard: Rc<Shard>,
    open: RefCell<HashMap<u64, Rc<StreamHandle>>>,
    /// Ended streams whose names are still in the index.
    ended: RefCell<VecDeque<Rc<StreamHandle>>>,
}

impl Streams {
    pub(crate) fn new(shard: Rc<Shard>) -> Rc<Streams> {
        Rc::new(Streams { shard, open: RefCell::default(), ended: RefCell::default() })
    }

    /// Register a stream that `method` opened, until the registration is dropped.
    pub(crate) fn register(
        self: &Rc<Streams>,
        connection: &Rc<ConnectionContext>,
        token: Token,
        method: (&'static str, Protocol, Service),
    ) -> Registration {
        let stream = Rc::new(StreamHandle::new(&self.shard, connection, token, method));
        self.open.borrow_mut().insert(stream.id, Rc::clone(&stream));
        connection.add(stream.id);
        self.shard.shared.metrics.stream(method.1, 1);
        Registration { shard: Rc::clone(&self.shard), streams: Rc::clone(self), stream }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.borrow().len()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Rc<StreamHandle>> {
        self.open.borrow().get(&id).cloned()
    }

    /// The ids of the streams above `after`, ascending.
    pub(crate) fn ids_after(&self, after: u64) -> Vec<u64> {
        let mut ids: Vec<u64> = self.open.borrow().keys().copied().filter(|id| *id > after).collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn for_each(&self, action: impl Fn(&StreamHandle)) {
        self.open.borrow().values().for_each(|stream| action(stream));
    }

    /// Streams that have sent a response.
    pub(crate) fn responded(&self) -> Vec<Rc<StreamHandle>> {
        self.open.borrow().values().filter(|stream| stream.has_responded()).cloned().collect()
    }

    /// Resources of these names changed in the store, by the change with this id (0: none).
    pub(crate) fn mark_changed(&self, names: &[(TypeId, Arc<str>)], change: u64) {
        let (interest, open) = (self.shard.interest.borrow(), self.open.borrow());
        for (type_id, name) in names {
            for id in interest.subscribers(*type_id, name) {
                if let Some(stream) = open.get(&id) {
                    stream.catch_panic(&self.shard, |stream| stream.mark_changed(*type_id, name, change));
                }
            }
        }
    }

    /// The streams with a subscription to one of these names, of any type; one may appear more than once.
    pub(crate) fn subscribed_to(&self, names: &[Arc<str>]) -> Arc<[u64]> {
        let interest = self.shard.interest.borrow();
        let keys = names.iter().flat_map(|name| TypeId::ALL.map(|type_id| (type_id, name)));
        keys.flat_map(|(type_id, name)| interest.subscribers_by_name(type_id, name)).collect()
    }

    /// The views of streams; with `resources` also their resources.
    pub(crate) async fn views(self: Rc<Streams>, filter: StreamFilter, resources: bool) -> Vec<StreamView> {
        let mut views = Vec::new();
        scan(&self, &filter, |stream| views.extend(stream.view(&self.shard, resources))).await;
        views
    }

    /// End each stream of the connection after its next response; at once where there was one.
    pub(crate) fn drain_connection(&self, connection: &ConnectionContext) {
        connection.draining.set(true);
        self.for_each_of(connection, StreamHandle::wake);
    }

    /// End all streams of the connection.
    pub(crate) fn end_connection(&self, connection: &ConnectionContext) {
        self.for_each_of(connection, StreamHandle::end);
        connection.end_calls();
    }

    fn for_each_of(&self, connection: &ConnectionContext, action: fn(&StreamHandle)) {
        let open = self.open.borrow();
        connection.streams().iter().filter_map(|id| open.get(id)).for_each(|stream| action(stream));
    }

    /// Remove one slice of an ended stream's names from the index; returns whether there is more to remove.
    pub(crate) fn clean_up_slice(&self) -> bool {
        let Some(stream) = self.ended.borrow_mut().pop_front() else { return false };
        match catch(|| stream.clean_up(&self.shard)) {
            Ok(true) => self.ended.borrow_mut().push_back(stream),
            Ok(false) => {}
            Err(report) => drop(stream.panicked(&self.shard, report)),
        }
        !self.ended.borrow().is_empty()
    }
}

/// Removes the stream from its shard, whichever way its task ends.
pub(crate) struct Registration {
    pub(crate) shard: Rc<Shard>,
    streams: Rc<Streams>,
    pub(crate) stream: Rc<StreamHandle>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Registration { shard, streams, stream } = self;
        streams.open.borrow_mut().remove(&stream.id);
        stream.connection.remove(stream.id);
        shard.shared.close_stream();
        if stream.deregister(shard) {
            streams.ended.borrow_mut().push_back(Rc::clone(stream));
            shard.slices.wake();
        }
    }
}
