//! One discovery stream over one HTTP/2 stream.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::poll_fn;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use steerway_engine::{
    DemandKey, Effects, Grant, InterestChange, Protocol, RequestKind, Service, Stream, TypeId,
};
use tokio::time::{Sleep, sleep};
use tonic::{Code, Status};

use crate::event::Event;
use crate::fault::{Fault, contain};
use crate::intake::{End, Intake};
use crate::limit::Limit;
use crate::link::Link;
use crate::payload::Payload;
use crate::peer::Token;
use crate::server::Options;
use crate::shard::{Shard, StreamView};

/// A Node says who a client is. The largest known ones are those of Envoy, which lists its extensions there.
const MAX_NODE: usize = 256 << 10;

/// A client that takes less in a second does not read.
const LEAST_BYTES_PER_SECOND: f64 = 65536.0;

/// A discovery stream as its shard knows it.
pub(crate) struct Discovery {
    id: u64,
    link: Rc<Link>,
    token: Cell<Token>,
    method: &'static str,
    opened: Duration,
    core: RefCell<Stream>,
    subscribed: Cell<[usize; TypeId::COUNT]>,
    waker: RefCell<Option<Waker>>,
    /// It panicked: its state is not to be trusted, and it ends.
    broken: Cell<bool>,
    /// Whether Python knows of it.
    reported: Cell<bool>,
    responded: Cell<bool>,
    ending: RefCell<Option<Status>>,
    /// When the core wants to be told of the time.
    deadline: Cell<Option<Duration>>,
}

impl Discovery {
    /// Something about the stream changed: have its task look.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn watch(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Do something with the stream outside of its task. A panic ends it, as in its task.
    pub(crate) fn contain<T>(&self, shard: &Shard, run: impl FnOnce(&Discovery) -> T) -> Option<T> {
        if self.broken.get() {
            return None;
        }
        match contain(|| run(self)) {
            Ok(result) => Some(result),
            Err(fault) => {
                self.end_with(self.panicked(shard, fault));
                None
            }
        }
    }

    /// Tell of a panic; the status to end the stream with.
    fn panicked(&self, shard: &Shard, fault: Fault) -> Status {
        self.broken.set(true);
        shard.shared.panicked(fault, &self.link.peer.address);
        Status::internal("the server has a fault, which its log tells")
    }

    /// A name in which the stream has an interest changed.
    pub(crate) fn mark_changed(&self, type_id: TypeId, name: &Arc<str>) {
        #[cfg(test)]
        crate::seam::change(name);
        self.core.borrow_mut().mark_changed(type_id, name);
        self.wake();
    }

    /// The stream learns whose view it sees, unless it was rejected before.
    pub(crate) fn classify(&self, shard: &Shard, audience: Arc<str>, grant: Grant) {
        if self.ending.borrow().is_some() {
            return;
        }
        let mut effects = Effects::default();
        self.core.borrow_mut().classify(audience, grant, &mut effects);
        self.apply(shard, &mut effects);
        self.wake();
    }

    /// The deadline that the core asked for has come.
    pub(crate) fn on_deadline(&self, now: Duration) {
        self.deadline.set(None);
        self.core.borrow_mut().on_deadline(now);
        self.wake();
    }

    fn set_deadline(&self, shard: &Shard, deadline: Option<Duration>) {
        shard.deadlines.replace(self.id, self.deadline.replace(deadline), deadline);
    }

    /// End the stream with OK, so that the client opens another one somewhere else.
    pub(crate) fn end(&self) {
        self.end_with(Status::ok(""));
    }

    /// End the stream, if it still waits for its audience: what was classified is served.
    pub(crate) fn reject(&self, status: Status) {
        if self.core.borrow().audience().is_none() {
            self.end_with(status);
        }
    }

    /// The first reason to end counts.
    fn end_with(&self, status: Status) {
        self.ending.borrow_mut().get_or_insert(status);
        self.wake();
    }

    /// Whether anything was ever answered.
    pub(crate) fn has_responded(&self) -> bool {
        self.responded.get()
    }

    pub(crate) fn view(&self, shard: &Shard, resources: bool) -> Option<StreamView> {
        let core = self.core.borrow();
        let node = core.node()?;
        let now = shard.shared.now();
        Some(StreamView {
            id: self.id,
            node_id: Arc::clone(&node.id),
            node: node.bytes.clone(),
            peer: Arc::clone(&self.link.peer.address),
            audience: core.audience().cloned().unwrap_or_default(),
            method: self.method,
            protocol: core.protocol(),
            age: now.saturating_sub(self.opened),
            subscriptions: core.snapshot(&shard.shared.store.read(), now, resources),
        })
    }

    /// Do what the core asked for.
    fn apply(&self, shard: &Shard, effects: &mut Effects) {
        let shared = &shard.shared;
        if let Some(node) = effects.opened.take() {
            self.reported.set(true);
            shared.events.push(Event::Opened {
                stream: self.id,
                peer: Arc::clone(&self.link.peer),
                token: self.token.take(),
                node: node.bytes,
            });
        }
        let core = self.core.borrow();
        if let (false, Some(audience)) = (effects.interest.is_empty(), core.audience()) {
            for change in effects.interest.drain(..) {
                match change {
                    InterestChange::Subscribe(type_id, name) => {
                        shard.subscribe(self.id, audience, type_id, name);
                    }
                    InterestChange::Unsubscribe(type_id, name) => {
                        shard.unsubscribe(self.id, audience, type_id, name);
                    }
                }
            }
            self.count_subscriptions(shard, core.subscribed());
        }
        if let Some(received) = effects.received.take() {
            shared.metrics.received(&received);
            if let (Some(type_id), RequestKind::Nack(nack)) = (received.type_id, received.kind) {
                shared.events.push(Event::Nack {
                    stream: self.id,
                    peer: Arc::clone(&self.link.peer.address),
                    node_id: core.node().map(|node| Arc::clone(&node.id)).unwrap_or_default(),
                    type_id,
                    nack,
                });
            }
        }
    }

    fn count_subscriptions(&self, shard: &Shard, subscribed: [usize; TypeId::COUNT]) {
        let before = self.subscribed.replace(subscribed);
        for type_id in TypeId::ALL {
            let (before, after) = (before[type_id.index()], subscribed[type_id.index()]);
            if before != after {
                shard.shared.metrics.subscription(type_id, after as i64 - before as i64);
            }
        }
    }

    /// Leave nothing behind in the index, the demand and the gauges.
    fn leave(&self, shard: &Shard) {
        self.set_deadline(shard, None);
        let core = self.core.borrow();
        if let Some(audience) = core.audience() {
            shard.interest.borrow_mut().remove_stream(
                self.id,
                audience,
                core.interests(),
                |type_id, name| {
                    let key = DemandKey { type_id, name: Arc::clone(name), audience: Arc::clone(audience) };
                    shard.shared.unwant(&key);
                },
            );
            self.count_subscriptions(shard, [0; TypeId::COUNT]);
        }
        shard.shared.metrics.stream(core.protocol(), -1);
        if self.reported.get() {
            shard.shared.events.push(Event::Closed { stream: self.id });
        }
    }
}

/// Takes the stream off its shard however its task ends.
struct Registration {
    shard: Rc<Shard>,
    stream: Rc<Discovery>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let id = self.stream.id;
        self.shard.streams.borrow_mut().remove(&id);
        self.stream.link.remove(id);
        self.shard.shared.streams.give_back(1);
        self.stream.leave(&self.shard);
    }
}

/// Moves one discovery stream's messages between HTTP/2 and the core.
pub(crate) struct Exchange {
    registration: Registration,
    intake: Intake,
    respond: SendResponse<Payload>,
    send: Option<SendStream<Payload>>,
    /// Bytes of the last response while HTTP/2 has not taken all of them, and when it must have.
    unread: usize,
    stalled: Option<Pin<Box<Sleep>>>,
    effects: Effects,
}

impl Exchange {
    /// Register a stream that `method` opened.
    pub(crate) fn new(
        shard: &Rc<Shard>,
        link: &Rc<Link>,
        token: Token,
        (method, protocol, service): (&'static str, Protocol, Service),
        (body, respond): (RecvStream, SendResponse<Payload>),
    ) -> Exchange {
        let stream = Rc::new(Discovery {
            id: shard.next_stream_id(),
            link: Rc::clone(link),
            token: Cell::new(token),
            method,
            opened: shard.shared.now(),
            core: RefCell::new(Stream::new(protocol, service, &shard.shared.stream_options)),
            subscribed: Cell::default(),
            waker: RefCell::default(),
            broken: Cell::new(false),
            reported: Cell::new(false),
            responded: Cell::new(false),
            ending: RefCell::new(shard.ending.is_cancelled().then(|| Status::ok(""))),
            deadline: Cell::new(None),
        });
        shard.streams.borrow_mut().insert(stream.id, Rc::clone(&stream));
        link.add(stream.id);
        shard.shared.metrics.stream(protocol, 1);
        Exchange {
            registration: Registration { shard: Rc::clone(shard), stream },
            intake: Intake::new(body, link, &shard.shared, &shard.options),
            respond,
            send: None,
            unread: 0,
            stalled: None,
            effects: Effects::default(),
        }
    }

    /// Run until either side ends it.
    pub(crate) async fn run(mut self) {
        let end = poll_fn(|context| match contain(|| self.poll(context)) {
            Ok(poll) => poll,
            Err(fault) => {
                let Registration { shard, stream } = &self.registration;
                Poll::Ready(End::Status(stream.panicked(shard, fault)))
            }
        });
        if let End::Status(status) = end.await {
            if status.code() != Code::Ok {
                self.registration.shard.shared.metrics.rejected(name_of(status.code()));
            }
            self.finish(status);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        self.registration.stream.watch(context.waker());
        while let Poll::Ready(message) = self.intake.poll_next(context) {
            match message.and_then(|message| self.take(&message).map_err(End::Status)) {
                Ok(()) => {}
                Err(end) => return Poll::Ready(end),
            }
        }
        if let Some(status) = self.registration.stream.ending.take() {
            return Poll::Ready(End::Status(status));
        }
        if self.write(context).is_err() {
            return Poll::Ready(End::Gone);
        }
        let stream = &self.registration.stream;
        if stream.link.leaving.get() && stream.has_responded() {
            return Poll::Ready(End::Status(Status::ok("")));
        }
        self.poll_stalled(context)
    }

    fn take(&mut self, message: &[u8]) -> Result<(), Status> {
        #[cfg(test)]
        crate::seam::request(message);
        let Registration { shard, stream } = &self.registration;
        let Shard { shared, .. } = &**shard;
        let peer = &stream.link.peer.address;
        let taken = stream.core.borrow_mut().on_message(message, shared.now(), &mut self.effects);
        taken.map_err(|fault| {
            let code = Code::from_i32(fault.code as i32);
            if code == Code::ResourceExhausted {
                shared.limited(Limit::Subscription, peer);
            }
            Status::new(code, fault.message)
        })?;
        if self.effects.opened.as_ref().is_some_and(|node| node.bytes.len() > MAX_NODE) {
            let text = format!("the node of the first request is longer than {MAX_NODE} bytes");
            return Err(shared.refuse(Limit::NodeBytes, peer, text));
        }
        self.intake.changed(self.effects.interest.len());
        stream.apply(shard, &mut self.effects);
        Ok(())
    }

    /// Send what is due, as long as the client takes it: a client that does not read holds no memory of ours, and
    /// later changes merge meanwhile.
    fn write(&mut self, context: &mut Context<'_>) -> Result<(), h2::Error> {
        let shard = Rc::clone(&self.registration.shard);
        let shared = &*shard.shared;
        let stream = Rc::clone(&self.registration.stream);
        while shared.is_answering() && stream.core.borrow().may_respond() && self.has_room(context) {
            let response = {
                let store = shared.store.read();
                stream.core.borrow_mut().next_response(&store, shared.now())
            };
            shared.metrics.denied(stream.core.borrow_mut().take_denied());
            let Some(response) = response else { break };
            shared.metrics.sent(&response);
            stream.responded.set(true);
            self.unread = response.total_len();
            self.stalled = None;
            self.intake.responded();
            stream.link.meter.earn(self.unread);
            self.sender()?.send_data(Payload::Discovery(response.into()), false)?;
        }
        let deadline = stream.core.borrow().next_deadline();
        stream.set_deadline(&shard, deadline);
        Ok(())
    }

    /// Ready when the client did not take its last response in time: it holds a window closed, or reads next to nothing.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<End> {
        if self.unread == 0 {
            return Poll::Pending;
        }
        if self.has_room(context) {
            (self.unread, self.stalled) = (0, None);
            return Poll::Pending;
        }
        let Registration { shard, stream } = &self.registration;
        let stalled = self.stalled.get_or_insert_with(|| {
            let Options { keepalive_interval, keepalive_timeout, .. } = *shard.options;
            let size = Duration::from_secs_f64(self.unread as f64 / LEAST_BYTES_PER_SECOND);
            Box::pin(sleep(keepalive_interval + keepalive_timeout + size))
        });
        stalled.as_mut().poll(context).map(|()| {
            shard.shared.limited(Limit::Unread, &stream.link.peer.address);
            // A status would queue up behind what is not read.
            self.respond.send_reset(Reason::ENHANCE_YOUR_CALM);
            End::Gone
        })
    }

    fn has_room(&mut self, context: &mut Context<'_>) -> bool {
        let Some(send) = &mut self.send else { return true };
        send.reserve_capacity(1);
        while send.capacity() == 0 {
            if !matches!(send.poll_capacity(context), Poll::Ready(Some(Ok(_)))) {
                return false;
            }
        }
        true
    }

    fn sender(&mut self) -> Result<&mut SendStream<Payload>, h2::Error> {
        if self.send.is_none() {
            let mut head = Response::new(());
            let content_type = http::HeaderValue::from_static("application/grpc");
            head.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
            self.send = Some(self.respond.send_response(head, false)?);
        }
        Ok(self.send.as_mut().expect("it was just set"))
    }

    /// Say the status, unless the client is gone by now.
    fn finish(&mut self, status: Status) {
        let _ = match &mut self.send {
            Some(send) => {
                let mut trailers = HeaderMap::new();
                status.add_header(&mut trailers).map(|()| send.send_trailers(trailers)).map(drop)
            }
            None => {
                drop(self.respond.send_response(status.into_http::<()>(), true));
                Ok(())
            }
        };
    }
}

/// The name of a status in gRPC's documents.
fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
