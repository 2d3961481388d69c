//! One discovery stream over one HTTP/2 stream.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::poll_fn;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Response};
use steerway_engine::{
    DemandKey, Effects, Grant, InterestChange, Protocol, RequestKind, Service, Stream, TypeId,
};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::event::Event;
use crate::framing::{Deframer, FrameError};
use crate::payload::Payload;
use crate::peer::{Peer, Token};
use crate::shard::{Shard, StreamView};

/// gRPC's usual limit of a received message.
const MAX_MESSAGE: usize = 4 << 20;

/// A discovery stream as its shard knows it.
pub(crate) struct Discovery {
    id: u64,
    peer: Arc<Peer>,
    token: Cell<Token>,
    method: &'static str,
    opened: Duration,
    core: RefCell<Stream>,
    subscribed: Cell<[usize; TypeId::COUNT]>,
    waker: RefCell<Option<Waker>>,
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

    /// A name in which the stream has an interest changed.
    pub(crate) fn mark_changed(&self, type_id: TypeId, name: &Arc<str>) {
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

    pub(crate) fn view(&self, shard: &Shard) -> Option<StreamView> {
        let core = self.core.borrow();
        let node = core.node()?;
        let now = shard.shared.now();
        Some(StreamView {
            id: self.id,
            node_id: Arc::clone(&node.id),
            node: node.bytes.clone(),
            peer: Arc::clone(&self.peer.address),
            audience: core.audience().cloned().unwrap_or_default(),
            method: self.method,
            protocol: core.protocol(),
            age: now.saturating_sub(self.opened),
            subscriptions: core.snapshot(&shard.shared.store.read(), now),
        })
    }

    /// Do what the core asked for.
    fn apply(&self, shard: &Shard, effects: &mut Effects) {
        let shared = &shard.shared;
        if let Some(node) = effects.opened.take() {
            shared.events.push(Event::Opened {
                stream: self.id,
                peer: Arc::clone(&self.peer),
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
                    peer: Arc::clone(&self.peer.address),
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
        if core.node().is_some() {
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
        self.shard.streams.borrow_mut().remove(&self.stream.id);
        self.stream.leave(&self.shard);
    }
}

/// Moves one discovery stream's messages between HTTP/2 and the core.
pub(crate) struct Exchange {
    registration: Registration,
    body: RecvStream,
    respond: SendResponse<Payload>,
    send: Option<SendStream<Payload>>,
    deframer: Deframer,
    effects: Effects,
    heard: Rc<Cell<Instant>>,
}

/// The client reset the stream, or the connection broke: nobody is there to be told a status.
struct Gone;

impl Exchange {
    /// Register a stream that `method` opened. `heard` is told when the client says something.
    pub(crate) fn new(
        shard: &Rc<Shard>,
        (peer, token): (&Arc<Peer>, Token),
        (method, protocol, service): (&'static str, Protocol, Service),
        (body, respond): (RecvStream, SendResponse<Payload>),
        heard: &Rc<Cell<Instant>>,
    ) -> Exchange {
        let stream = Rc::new(Discovery {
            id: shard.next_stream_id(),
            peer: Arc::clone(peer),
            token: Cell::new(token),
            method,
            opened: shard.shared.now(),
            core: RefCell::new(Stream::new(protocol, service, &shard.shared.stream_options)),
            subscribed: Cell::default(),
            waker: RefCell::default(),
            responded: Cell::new(false),
            ending: RefCell::new(shard.ending.is_cancelled().then(|| Status::ok(""))),
            deadline: Cell::new(None),
        });
        shard.streams.borrow_mut().insert(stream.id, Rc::clone(&stream));
        shard.shared.metrics.stream(protocol, 1);
        Exchange {
            registration: Registration { shard: Rc::clone(shard), stream },
            body,
            respond,
            send: None,
            deframer: Deframer::new(MAX_MESSAGE),
            effects: Effects::default(),
            heard: Rc::clone(heard),
        }
    }

    /// Run until either side ends it.
    pub(crate) async fn run(mut self) {
        if let Ok(status) = poll_fn(|context| self.poll(context)).await {
            if status.code() != Code::Ok {
                self.registration.shard.shared.metrics.rejected(name_of(status.code()));
            }
            self.finish(status);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Status, Gone>> {
        self.registration.stream.watch(context.waker());
        while let Poll::Ready(piece) = self.body.poll_data(context) {
            match piece {
                Some(Ok(piece)) => {
                    if let Err(status) = self.read(piece) {
                        return Poll::Ready(Ok(status));
                    }
                }
                Some(Err(_)) => return Poll::Ready(Err(Gone)),
                None if self.deframer.is_between() => return Poll::Ready(Ok(Status::ok(""))),
                None => {
                    let status = Status::invalid_argument("the client ended the stream inside a message");
                    return Poll::Ready(Ok(status));
                }
            }
        }
        if let Some(status) = self.registration.stream.ending.take() {
            return Poll::Ready(Ok(status));
        }
        match self.write(context) {
            Ok(()) => Poll::Pending,
            Err(_) => Poll::Ready(Err(Gone)),
        }
    }

    fn read(&mut self, piece: Bytes) -> Result<(), Status> {
        self.heard.set(Instant::now());
        let length = piece.len();
        self.deframer.push(piece);
        while let Some(message) = self.deframer.next().map_err(status_of)? {
            self.take(&message)?;
        }
        // Fails only when the stream is closed, which the next poll_data tells.
        let _ = self.body.flow_control().release_capacity(length);
        Ok(())
    }

    fn take(&mut self, message: &[u8]) -> Result<(), Status> {
        let Registration { shard, stream } = &self.registration;
        let taken = stream.core.borrow_mut().on_message(message, shard.shared.now(), &mut self.effects);
        taken.map_err(|fault| Status::new(Code::from_i32(fault.code as i32), fault.message))?;
        stream.apply(shard, &mut self.effects);
        Ok(())
    }

    /// Send what is due, as long as the client takes it: a client that does not read holds no memory of ours, and
    /// later changes merge meanwhile.
    fn write(&mut self, context: &mut Context<'_>) -> Result<(), h2::Error> {
        let shared = Arc::clone(&self.registration.shard.shared);
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
            self.sender()?.send_data(Payload::Discovery(response), false)?;
        }
        let deadline = stream.core.borrow().next_deadline();
        stream.set_deadline(&self.registration.shard, deadline);
        Ok(())
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

fn status_of(error: FrameError) -> Status {
    match error {
        FrameError::TooLong(limit) => {
            Status::resource_exhausted(format!("a request is longer than {limit} bytes"))
        }
        FrameError::Compressed => {
            Status::unimplemented("compressed requests are not supported: send them as they are")
        }
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
