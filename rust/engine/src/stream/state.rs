//! The state machine of one discovery stream.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::absence::Absence;
use super::respond::ResponseContext;
use super::snapshot::SubscriptionView;
use crate::message::{
    Effects, InterestChange, Received, Request, RequestKind, Response, ResponseBuilder, StreamOptions,
    too_many,
};
use crate::protocol::{Features, Node, Protocol, Service, Status, TypeId};
use crate::store::{Grant, Resource, Store, View};
use crate::watch::{Outcome, Peers, Watch, Watches, release_replaced, warming_dependency};
use crate::wire::wildcard_name;

/// One discovery stream: what the client asked for, what it was sent, what it said to it.
///
/// The transport feeds messages and changes, and asks for responses until there are none. Times are durations
/// since the start of the engine.
#[derive(Debug)]
pub struct Stream {
    protocol: Protocol,
    service: Service,
    options: Arc<StreamOptions>,
    features: Features,
    node: Option<Node>,
    audience: Option<Arc<str>>,
    grant: Grant,
    /// Looks at names that are withheld, since they were last taken.
    denied: Cell<u64>,
    /// How many nonces were given out: they are never used twice on a stream, over all types.
    last_nonce: u64,
    watches: Watches,
    /// The client may have got what it lacked before it could switch from something that was replaced.
    retiring_check_due: bool,
}

impl Stream {
    /// A stream on which nothing was said yet.
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
            retiring_check_due: false,
        }
    }

    /// Take one gRPC message (without frame prefix). `out` must be clear. An error ends the stream; `out` is clear
    /// then.
    pub fn on_message(&mut self, message: &[u8], now: Duration, out: &mut Effects) -> Result<(), Status> {
        let taken = self.handle(message, now, out);
        if taken.is_err() {
            out.clear();
        }
        taken
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
        let (kind, change) = watch.on_request(&request, (now, self.options.make_before_break_timeout))?;
        if self.subscribed().iter().sum::<usize>() > self.options.names_per_stream {
            return Err(too_many(self.options.names_per_stream));
        }
        if first && self.protocol == Protocol::Delta {
            self.warm_after_first_request(type_id);
        }
        self.recheck_waiting();
        out.received = Some(Received { type_id: Some(type_id), kind });
        if self.audience.is_some() {
            out.note(type_id, change);
        }
        Ok(())
    }

    /// A first request that came behind what names its resources: the client says what it holds from before, and waits for
    /// these again all the same.
    fn warm_after_first_request(&mut self, type_id: TypeId) {
        let naming = TypeId::ALL.into_iter().find(|naming| warming_dependency(*naming) == Some(type_id));
        let Some(naming) = naming.and_then(|naming| self.watches[naming.index()].as_ref()) else { return };
        let sent: Vec<Arc<Resource>> = naming.sent().cloned().collect();
        if let Some(watch) = &mut self.watches[type_id.index()] {
            watch.warm(&sent);
        }
    }

    /// Say whose view the client sees, and what of it. Until then nothing is answered; afterwards `out.interest`
    /// holds all that was asked for so far. Only the first call counts.
    pub fn classify(&mut self, audience: Arc<str>, grant: Grant, out: &mut Effects) {
        if self.audience.is_none() {
            self.audience = Some(audience);
            self.grant = grant;
            let interests =
                self.interests().map(|(type_id, name)| InterestChange::Subscribe(type_id, name.clone()));
            out.interest.extend(interests);
        }
    }

    /// The index says that this name changed ([`crate::WILDCARD`]: that wildcards may now be answered).
    pub fn mark_changed(&mut self, type_id: TypeId, name: &Arc<str>) {
        if let Some(watch) = &mut self.watches[type_id.index()] {
            watch.mark_changed(name);
        }
    }

    /// Whether [`Stream::next_response`] may have something: cheap, may be wrong in that direction only.
    pub fn may_respond(&self) -> bool {
        self.audience.is_some()
            && (self.retiring_check_due || self.watches.iter().flatten().any(|watch| watch.may_respond()))
    }

    /// The next response that is due, in the order of types; `None` when there is none. It counts as sent.
    pub fn next_response(&mut self, store: &Store, now: Duration) -> Option<Response> {
        let mut outcome = Outcome::default();
        let mut response = self.respond(store, now, &mut outcome);
        if self.require_undelivered(&mut outcome) && response.is_none() {
            response = self.respond(store, now, &mut outcome);
            self.require_undelivered(&mut outcome);
        }
        let response = response?;
        let type_id = response.type_id();
        let following =
            warming_dependency(type_id).and_then(|type_id| self.watches[type_id.index()].as_mut());
        if let Some(watch) = following.filter(|_| !outcome.sent.is_empty()) {
            watch.warm(&outcome.sent);
        }
        // What waited for this as long as it may goes out behind it.
        self.watches[type_id.index() + 1..].iter_mut().flatten().for_each(|watch| watch.recheck_overdue(now));
        Some(response)
    }

    /// Ask each type in turn for what is due.
    fn respond(&mut self, store: &Store, now: Duration, outcome: &mut Outcome) -> Option<Response> {
        let audience = self.audience.as_deref()?;
        if std::mem::take(&mut self.retiring_check_due) {
            let (grant, denied) = (&self.grant, &self.denied);
            let view = View { store, audience, grant, denied, type_id: TypeId::Cluster };
            release_replaced(&mut self.watches, view, now);
        }
        let nonce = self.last_nonce + 1;
        let response = TypeId::ALL.into_iter().find_map(|type_id| {
            // Taken out, so that it can be answered while the others are looked at.
            let mut watch = self.watches[type_id.index()].take_if(|watch| watch.may_respond())?;
            let view = View { store, audience, grant: &self.grant, denied: &self.denied, type_id };
            let context = ResponseContext {
                view,
                peers: Peers::new(&self.watches),
                options: &self.options,
                nonce,
                now,
            };
            let response = watch.respond(&context, outcome);
            drop(context);
            self.watches[type_id.index()] = Some(watch);
            response
        })?;
        self.last_nonce = nonce;
        Some(response)
    }

    /// What the client lacks goes out whatever is open. Returns whether there is any.
    fn require_undelivered(&mut self, outcome: &mut Outcome) -> bool {
        let any = !outcome.undelivered.is_empty();
        for (type_id, name) in outcome.undelivered.drain(..) {
            if let Some(watch) = &mut self.watches[type_id.index()] {
                watch.require(&name);
            }
        }
        any
    }

    /// An answer that says that there is nothing of the type. A stream never gives it where the protocol has silence; a
    /// transport on which each request has its answer needs it. It counts as sent.
    pub fn empty_response(&mut self, type_id: TypeId) -> Response {
        self.last_nonce += 1;
        let builder = ResponseBuilder::new(self.protocol, false);
        builder.finish(type_id, &self.options.identifier, 0, self.last_nonce)
    }

    /// How many times since the last call a name that was asked for was withheld for want of a [`Grant`].
    pub fn take_denied(&mut self) -> u64 {
        self.denied.take()
    }

    /// When to call [`Stream::on_deadline`]; `None`: not before something else happens on the stream.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.watches.iter().flatten().filter_map(|watch| watch.next_deadline()).min()
    }

    /// Time passed: heartbeats may be due, and what waited for something else may wait no longer.
    pub fn on_deadline(&mut self, now: Duration) {
        self.watches.iter_mut().flatten().for_each(|watch| watch.on_deadline(now));
        let expires = |watch: &Watch| watch.retiring.deadlines().any(|until| until <= now);
        if self.watches.iter().flatten().any(|watch| expires(watch)) {
            self.recheck_waiting();
        }
    }

    /// Something happened: what waits may have waited for just this.
    fn recheck_waiting(&mut self) {
        self.watches.iter_mut().flatten().for_each(|watch| watch.recheck_waiting());
        self.retiring_check_due = self.watches.iter().flatten().any(|watch| watch.retiring.is_expirable());
    }

    /// All that the index holds for this stream (to take it out when the stream ends).
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

    /// Take up to `most` of [`Stream::interests`] out of a stream that has ended; none when there are no more. Nothing else
    /// may be done with the stream then: it is taken apart, so that a large one goes in parts.
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

    /// Which protocol the stream speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// How many names (a wildcard counts as one) are subscribed, by [`TypeId::index`].
    pub fn subscribed(&self) -> [usize; TypeId::COUNT] {
        std::array::from_fn(|index| {
            let subscription = self.watches[index].as_ref().map(|watch| &watch.subscription);
            subscription.map_or(0, |subscription| subscription.len())
        })
    }

    /// Bytes of the names that are subscribed.
    pub fn subscribed_bytes(&self) -> usize {
        self.watches.iter().flatten().map(|watch| watch.subscription.bytes()).sum()
    }

    /// State of every type that was asked for, for operators; with `resources` also that of every name.
    pub fn snapshot(&self, store: &Store, now: Duration, resources: bool) -> Vec<SubscriptionView> {
        let watches = self.watches.iter().zip(TypeId::ALL);
        let asked_for = watches.filter_map(|(watch, type_id)| Some((watch.as_ref()?, type_id)));
        let denied = Cell::new(0);
        let views = asked_for.map(|(watch, type_id)| {
            let view = self.view(store, type_id, &denied);
            SubscriptionView::new(watch, view, type_id, now, resources)
        });
        views.collect()
    }

    /// Visit each name that was asked for and that there is nothing for; none before the stream is classified. Returns
    /// how many names were asked for.
    pub fn absences(&self, store: &Store, mut visit: impl FnMut(Absence<'_>)) -> usize {
        let denied = Cell::new(0);
        for (watch, type_id) in self.watches.iter().zip(TypeId::ALL) {
            if let (Some(watch), Some(view)) = (watch, self.view(store, type_id, &denied)) {
                Absence::all(watch, view).for_each(&mut visit);
            }
        }
        self.subscribed().iter().sum()
    }

    /// The store as operators see it through the stream: their looks at what is withheld are not counted.
    fn view<'a>(&'a self, store: &'a Store, type_id: TypeId, denied: &'a Cell<u64>) -> Option<View<'a>> {
        let audience = self.audience.as_deref()?;
        Some(View { store, audience, grant: &self.grant, denied, type_id })
    }
}
