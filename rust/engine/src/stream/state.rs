//! The state machine of one discovery stream.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::absence::Absence;
use super::context::{Outcome, ResponseContext};
use super::progress::{Progress, SyncState, visit_names};
use super::respond::respond;
use super::snapshot::SubscriptionView;
use crate::message::{
    Effects, InterestChange, Received, Request, RequestKind, Response, ResponseBuilder, StreamOptions,
    too_many,
};
use crate::protocol::{Features, Node, Protocol, Service, Status, TypeId};
use crate::store::{Grant, Resource, Store, View};
use crate::watch::{Deliveries, DeliveryUpdate, Peers, Watch, Watches, release_replaced};
use crate::wire::wildcard_name;

/// One discovery stream: subscriptions, responses that were sent, ACKs and NACKs.
///
/// The transport passes messages and changes in, and takes responses until there are none. Times are durations since
/// the start of the engine.
#[derive(Debug)]
pub struct Stream {
    protocol: Protocol,
    service: Service,
    options: Arc<StreamOptions>,
    features: Features,
    node: Option<Node>,
    audience: Option<Arc<str>>,
    grant: Grant,
    /// Lookups of resources that the grant does not admit, since they were last taken.
    denied: Cell<u64>,
    /// The last nonce: unique on the stream, over all types.
    last_nonce: u64,
    watches: Watches,
    /// What became of the changes that were sent.
    deliveries: Deliveries,
    /// Result of [`Stream::progress`], until the stream changes.
    progress: Cell<Option<Progress>>,
    /// The client may have received the last name that it needed to switch away from a retiring resource.
    retiring_check_due: bool,
}

impl Stream {
    /// A stream before its first request.
    pub fn new(protocol: Protocol, service: Service, options: &Arc<StreamOptions>) -> Stream {
        Stream {
            protocol,
            service,
            options: Arc::clone(options),
            features: Features::default(),
            node: None,
            audience: None,
            grant: Grant::EVERYTHING,
            denied: Cell::new(0),
            last_nonce: 0,
            watches: Default::default(),
            deliveries: Deliveries::default(),
            progress: Cell::new(None),
            retiring_check_due: false,
        }
    }

    /// Handle one gRPC message (without frame prefix). `out` must be clear. An error ends the stream and leaves `out`
    /// clear.
    pub fn on_message(&mut self, message: &[u8], now: Duration, out: &mut Effects) -> Result<(), Status> {
        self.progress.set(None);
        let result = self.handle(message, now, out);
        if result.is_err() {
            out.clear();
        }
        result
    }

    fn handle(&mut self, message: &[u8], now: Duration, out: &mut Effects) -> Result<(), Status> {
        let request = Request::decode(self.protocol, message, &self.options)?;
        let type_id = self.service.type_of(request.type_url)?;
        if self.node.is_none() {
            // "It is sufficient to only check the first message for the node identifier."
            let node = Node::read(request.node, &self.options.node_metadata)?;
            self.features = Features::of(&node.bytes);
            out.opened = self.node.insert(node).clone().into();
        }
        let Some(type_id) = type_id else {
            out.received = Some(Received { type_id: None, kind: RequestKind::UnknownType });
            return Ok(());
        };
        let features = self.features;
        let watch = self.watches[type_id.index()]
            .get_or_insert_with(|| Watch::new(type_id, self.protocol, features).into());
        let first = watch.subscription.is_new();
        let times = (now, self.options.make_before_break_timeout);
        let (kind, change) = watch.on_request(&request, times, &mut self.deliveries)?;
        if self.subscribed().iter().sum::<usize>() > self.options.names_per_stream {
            return Err(too_many(self.options.names_per_stream));
        }
        if first && self.protocol == Protocol::Delta {
            self.warm_after_first_request(type_id);
        }
        self.recheck_waiting();
        out.received = Some(Received { type_id: Some(type_id), kind });
        if self.audience.is_some() {
            out.add_interest(type_id, change);
        }
        Ok(())
    }

    /// The first request of a type after resources were sent that name its resources: the client waits for them again,
    /// also for those that it announces to hold.
    fn warm_after_first_request(&mut self, type_id: TypeId) {
        let naming = TypeId::ALL.into_iter().find(|naming| naming.warming_dependency() == Some(type_id));
        let Some(naming) = naming.and_then(|naming| self.watches[naming.index()].as_ref()) else { return };
        let sent: Vec<Arc<Resource>> = naming.sent().cloned().collect();
        if let Some(watch) = &mut self.watches[type_id.index()] {
            watch.warm(&sent);
        }
    }

    /// Set the audience and the grant of the stream. No response is sent before; `out.interest` receives all
    /// subscriptions so far. Only the first call counts.
    pub fn classify(&mut self, audience: Arc<str>, grant: Grant, out: &mut Effects) {
        if self.audience.is_none() {
            self.progress.set(None);
            self.audience = Some(audience);
            self.grant = grant;
            let interests =
                self.interests().map(|(type_id, name)| InterestChange::Subscribe(type_id, name.clone()));
            out.interest.extend(interests);
        }
    }

    /// The index reports that this name changed ([`crate::WILDCARD`]: that wildcards can now be answered). `change`: the
    /// id of the change, by which [`Stream::take_deliveries`] counts; 0: it is not counted.
    pub fn mark_changed(&mut self, type_id: TypeId, name: &Arc<str>, change: u64) {
        self.progress.set(None);
        if let Some(watch) = &mut self.watches[type_id.index()] {
            watch.mark_changed(name, change);
        }
    }

    /// Whether [`Stream::next_response`] may return a response: cheap; `true` may be wrong.
    pub fn may_respond(&self) -> bool {
        self.audience.is_some()
            && (self.retiring_check_due || self.watches.iter().flatten().any(|watch| watch.may_respond()))
    }

    /// The next response that is due, in the order of types. It counts as sent.
    pub fn next_response(&mut self, store: &Store, now: Duration) -> Option<Response> {
        let mut outcome = Outcome::default();
        let mut response = self.respond(store, now, &mut outcome);
        if self.require_undelivered(&mut outcome) && response.is_none() {
            response = self.respond(store, now, &mut outcome);
            self.require_undelivered(&mut outcome);
        }
        let response = response?;
        self.progress.set(None);
        self.deliveries.sent(&outcome.changes);
        let type_id = response.type_id();
        let following =
            type_id.warming_dependency().and_then(|type_id| self.watches[type_id.index()].as_mut());
        if let Some(watch) = following.filter(|_| !outcome.sent.is_empty()) {
            watch.warm(&outcome.sent);
        }
        // Names that waited for this response until their deadline follow it.
        self.watches[type_id.index() + 1..].iter_mut().flatten().for_each(|watch| watch.recheck_overdue(now));
        Some(response)
    }

    /// The first response that is due, in the order of types.
    fn respond(&mut self, store: &Store, now: Duration, outcome: &mut Outcome) -> Option<Response> {
        let audience = self.audience.as_deref()?;
        if std::mem::take(&mut self.retiring_check_due) {
            let (grant, denied) = (&self.grant, &self.denied);
            let view = View { store, audience, grant, denied, type_id: TypeId::Cluster };
            release_replaced(&mut self.watches, view, now);
        }
        let nonce = self.last_nonce + 1;
        let response = TypeId::ALL.into_iter().find_map(|type_id| {
            // Taken out: the response depends on the other watches.
            let mut watch = self.watches[type_id.index()].take_if(|watch| watch.may_respond())?;
            let view = View { store, audience, grant: &self.grant, denied: &self.denied, type_id };
            let context = ResponseContext {
                view,
                peers: Peers::new(&self.watches),
                options: &self.options,
                nonce,
                now,
            };
            let response = respond(&mut watch, &context, outcome);
            drop(context);
            self.watches[type_id.index()] = Some(watch);
            response
        })?;
        self.last_nonce = nonce;
        Some(response)
    }

    /// Have undelivered names sent even while a response is open. Returns whether there are any.
    fn require_undelivered(&mut self, outcome: &mut Outcome) -> bool {
        let any = !outcome.undelivered.is_empty();
        for (type_id, name) in outcome.undelivered.drain(..) {
            if let Some(watch) = &mut self.watches[type_id.index()] {
                watch.require(&name);
            }
        }
        any
    }

    /// A response without resources, which counts as sent. Streams send none where the protocol has silence; a
    /// transport with one response for each request (REST, unary gRPC) needs it.
    pub fn empty_response(&mut self, type_id: TypeId) -> Response {
        self.last_nonce += 1;
        let builder = ResponseBuilder::new(self.protocol, false);
        builder.finish(type_id, &self.options.identifier, 0, self.last_nonce)
    }

    /// What became of changes since the last call. Changes that were superseded before they were sent do not appear, nor
    /// resources that answer a subscription.
    pub fn take_deliveries(&mut self) -> impl Iterator<Item = DeliveryUpdate> {
        self.deliveries.take()
    }

    /// The stream has ended: what the client has not answered, it never will.
    pub fn end_deliveries(&mut self) {
        self.deliveries.end();
    }

    /// Number of lookups since the last call of resources that the [`Grant`] does not admit.
    pub fn take_denied(&mut self) -> u64 {
        self.denied.take()
    }

    /// When to call [`Stream::on_deadline`]; `None`: not before another event of the stream.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.watches.iter().flatten().filter_map(|watch| watch.next_deadline()).min()
    }

    /// A deadline passed: heartbeats may be due, and waits may have ended.
    pub fn on_deadline(&mut self, now: Duration) {
        self.watches.iter_mut().flatten().for_each(|watch| watch.on_deadline(now));
        let expires = |watch: &Watch| watch.retiring.deadlines().any(|until| until <= now);
        if self.watches.iter().flatten().any(|watch| expires(watch)) {
            self.recheck_waiting();
        }
    }

    /// The stream changed: check the names that wait for other types.
    fn recheck_waiting(&mut self) {
        self.watches.iter_mut().flatten().for_each(|watch| watch.recheck_waiting());
        self.retiring_check_due = self.watches.iter().flatten().any(|watch| watch.retiring.is_expirable());
    }

    /// Every subscription of this stream in the index.
    pub fn interests(&self) -> impl Iterator<Item = (TypeId, &Arc<str>)> {
        self.watches.iter().zip(TypeId::ALL).flat_map(|(watch, type_id)| {
            let subscription = watch.iter().map(|watch| &watch.subscription);
            subscription
                .flat_map(|subscription| {
                    let wildcard = subscription.wildcard().then(wildcard_name);
                    wildcard.into_iter().chain(subscription.interests())
                })
                .map(move |name| (type_id, name))
        })
    }

    /// Take up to `most` of [`Stream::interests`] out of a stream that has ended; empty at the end. Large streams are
    /// taken apart in steps: no other method may be called afterwards.
    pub fn take_interests(&mut self, most: usize) -> Vec<(TypeId, Arc<str>)> {
        let mut taken = Vec::new();
        for (watch, type_id) in self.watches.iter_mut().zip(TypeId::ALL) {
            let Some(subscription) = watch.as_mut().map(|watch| &mut watch.subscription) else { continue };
            while taken.len() < most
                && let Some(name) = subscription.pop_interest()
            {
                taken.push((type_id, name));
            }
        }
        taken
    }

    /// The node of the first request.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// The audience, once classified.
    pub fn audience(&self) -> Option<&Arc<str>> {
        self.audience.as_ref()
    }

    /// Variant of the protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Number of subscribed names by [`TypeId::index`]; a wildcard counts as one.
    pub fn subscribed(&self) -> [usize; TypeId::COUNT] {
        std::array::from_fn(|index| {
            let subscription = self.watches[index].as_ref().map(|watch| &watch.subscription);
            subscription.map_or(0, |subscription| subscription.len())
        })
    }

    /// Bytes of the subscribed names.
    pub fn subscribed_bytes(&self) -> usize {
        self.watches.iter().flatten().map(|watch| watch.subscription.bytes()).sum()
    }

    /// State of every requested type, for operators; with `resources` also that of every name.
    pub fn snapshot(&self, store: &Store, now: Duration, resources: bool) -> Vec<SubscriptionView> {
        let watches = self.watches.iter().zip(TypeId::ALL);
        let requested = watches.filter_map(|(watch, type_id)| Some((watch.as_ref()?, type_id)));
        let denied = Cell::new(0);
        let views = requested.map(|(watch, type_id)| {
            let view = self.view(store, type_id, &denied);
            SubscriptionView::new(watch, view, type_id, now, resources)
        });
        views.collect()
    }

    /// Visit each requested name without a resource; none before the stream is classified.
    pub fn absences(&self, store: &Store, mut visit: impl FnMut(Absence<'_>)) {
        let denied = Cell::new(0);
        for (watch, type_id) in self.watches.iter().zip(TypeId::ALL) {
            if let (Some(watch), Some(view)) = (watch, self.view(store, type_id, &denied)) {
                Absence::all(watch, view).for_each(&mut visit);
            }
        }
    }

    /// How far the client is. Cheap when the stream did not change since the last call.
    pub fn progress(&self, store: &Store) -> Progress {
        if let Some(progress) = self.progress.get() {
            return progress;
        }
        let (mut progress, denied) = (Progress::default(), Cell::new(0));
        for watch in self.watches.iter().flatten() {
            progress.add(watch, self.view(store, watch.type_id, &denied));
        }
        // Glob collections that wait are not notified when they are complete.
        self.progress.set(Some(progress).filter(|progress| progress.state != SyncState::Waiting));
        progress
    }

    /// Names were added to the index: changes of them are reported from now on.
    pub fn note_indexed(&self) {
        self.progress.set(None);
        self.watches.iter().flatten().for_each(|watch| watch.recount_shortfall());
    }

    /// Visit the state of each requested name, of glob collections and of wildcards ([`crate::WILDCARD`]); none before
    /// the stream is classified.
    pub fn visit_names(&self, store: &Store, mut visit: impl FnMut(TypeId, &Arc<str>, SyncState)) {
        let denied = Cell::new(0);
        for watch in self.watches.iter().flatten() {
            if let Some(view) = self.view(store, watch.type_id, &denied) {
                visit_names(watch, view, &mut visit);
            }
        }
    }

    /// The store as the stream sees it. Lookups of operators do not count as denied.
    fn view<'a>(&'a self, store: &'a Store, type_id: TypeId, denied: &'a Cell<u64>) -> Option<View<'a>> {
        let audience = self.audience.as_deref()?;
        Some(View { store, audience, grant: &self.grant, denied, type_id })
    }
}
