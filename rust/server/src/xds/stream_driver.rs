//! Moves the messages of one discovery stream between HTTP/2 and the core.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::poll_fn;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use steerway_engine::{Effects, Protocol, Service};
use tokio::time::{Sleep, sleep};
use tonic::{Code, Status};

use crate::limits::limit::Limit;
use crate::net::peer::Token;
use crate::observe::panic::catch;
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::options::Options;
use crate::runtime::shard::Shard;
use crate::runtime::slice::{LONG_REQUEST, SliceWaiter};
use crate::xds::payload::Payload;
use crate::xds::request_reader::{RequestReader, StreamEnd};
use crate::xds::streams::{Registration, Streams};

/// After work that took longer the other streams of the shard run first.
const LONG_WORK: Duration = Duration::from_micros(500);

/// A client that reads less per second counts as not reading.
const MIN_BYTES_PER_SECOND: f64 = 65536.0;

/// The task of one stream.
pub(crate) struct StreamDriver {
    registration: Registration,
    reader: RequestReader,
    respond: SendResponse<Payload>,
    send: Option<SendStream<Payload>>,
    /// Bytes of the last response that HTTP/2 has not taken, and the timer until it must have.
    unsent: usize,
    stall_timer: Option<Pin<Box<Sleep>>>,
    /// A long request that waits for a slice.
    deferred: Option<Bytes>,
    waiter: SliceWaiter,
    /// The timer of a wait for CPU time.
    cpu_wait: Option<Pin<Box<Sleep>>>,
    effects: Effects,
}

impl StreamDriver {
    /// Register a stream that `method` opened.
    pub(crate) fn new(
        streams: &Rc<Streams>,
        connection: &Rc<ConnectionContext>,
        token: Token,
        method: (&'static str, Protocol, Service),
        (body, respond): (RecvStream, SendResponse<Payload>),
    ) -> StreamDriver {
        StreamDriver {
            registration: streams.register(connection, token, method),
            reader: RequestReader::new(body, connection, &streams.shard.shared, &streams.shard.options),
            respond,
            send: None,
            unsent: 0,
            stall_timer: None,
            deferred: None,
            waiter: SliceWaiter::default(),
            cpu_wait: None,
            effects: Effects::default(),
        }
    }

    /// Run until either side ends the stream.
    pub(crate) async fn run(mut self) {
        let end = poll_fn(|context| match catch(|| self.poll(context)) {
            Ok(poll) => poll,
            Err(fault) => {
                let Registration { shard, stream, .. } = &self.registration;
                Poll::Ready(StreamEnd::Status(stream.panicked(shard, fault)))
            }
        });
        if let StreamEnd::Status(status) = end.await {
            if status.code() != Code::Ok {
                self.registration.shard.shared.metrics.rejected(status_name(status.code()));
            }
            self.finish(status);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<StreamEnd> {
        self.registration.stream.watch(context.waker());
        while let Poll::Ready(taken) = self.poll_work(context) {
            match taken {
                Ok(time) if time > LONG_WORK => {
                    // The other streams run first.
                    context.waker().wake_by_ref();
                    break;
                }
                Ok(_) => {}
                Err(end) => return Poll::Ready(end),
            }
        }
        if let Some(status) = self.registration.stream.ending.take() {
            return Poll::Ready(StreamEnd::Status(status));
        }
        if !self.registration.stream.has_pending_interest() && self.write(context).is_err() {
            return Poll::Ready(StreamEnd::Reset);
        }
        let stream = &self.registration.stream;
        if stream.connection.draining.get() && stream.has_responded() {
            return Poll::Ready(StreamEnd::Status(Status::ok("")));
        }
        self.poll_stalled(context)
    }

    /// Handle the next request, or a part of the last one; returns the time that it took.
    fn poll_work(&mut self, context: &mut Context<'_>) -> Poll<Result<Duration, StreamEnd>> {
        if self.deferred.is_none() && !self.registration.stream.has_pending_interest() {
            match ready!(self.poll_request(context)) {
                Ok(message) if message.len() > LONG_REQUEST => self.deferred = Some(message),
                Ok(message) => return Poll::Ready(self.timed(|driver, now| driver.take(&message, now))),
                Err(end) => return Poll::Ready(Err(end)),
            }
        }
        let shard = Rc::clone(&self.registration.shard);
        let _permit = ready!(self.waiter.poll(&shard.slices, context));
        Poll::Ready(self.timed(|driver, now| match driver.deferred.take() {
            Some(message) => driver.take(&message, now),
            None => {
                driver.registration.stream.register_pending(&shard);
                Ok(())
            }
        }))
    }

    /// The next request, once the CPU budgets allow it.
    fn poll_request(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, StreamEnd>> {
        loop {
            if let Some(cpu_wait) = &mut self.cpu_wait {
                ready!(cpu_wait.as_mut().poll(context));
                self.cpu_wait = None;
            }
            match self.registration.stream.budget.wait() {
                Ok(None) => return self.reader.poll_next(context),
                Ok(Some(wait)) => self.cpu_wait = Some(Box::pin(sleep(wait))),
                Err(status) => return Poll::Ready(Err(StreamEnd::Status(status))),
            }
        }
    }

    /// Do work and charge its time; returns the time.
    fn timed(
        &mut self,
        work: impl FnOnce(&mut StreamDriver, Duration) -> Result<(), Status>,
    ) -> Result<Duration, StreamEnd> {
        let begin = self.registration.shard.shared.now();
        work(self, begin).map_err(StreamEnd::Status)?;
        let time = self.registration.shard.shared.now().saturating_sub(begin);
        self.registration.stream.budget.spend(time);
        Ok(time)
    }

    fn take(&mut self, message: &[u8], now: Duration) -> Result<(), Status> {
        #[cfg(test)]
        crate::failpoint::request(message);
        let Registration { shard, stream, .. } = &self.registration;
        let Shard { shared, .. } = &**shard;
        let peer = &stream.connection.peer.address;
        let taken = stream.core.borrow_mut().on_message(message, now, &mut self.effects);
        taken.map_err(|fault| {
            let code = Code::from_i32(fault.code as i32);
            if code == Code::ResourceExhausted {
                shared.limits.count(Limit::Subscription, peer);
            }
            Status::new(code, fault.message)
        })?;
        stream.check_node(shard, &self.effects)?;
        stream.charge()?;
        self.reader.charge_names(self.effects.interest.len());
        stream.apply(shard, &mut self.effects);
        stream.count_deliveries(shard, now);
        Ok(())
    }

    /// Send what is due as long as the client reads: one that does not read costs no memory, and later changes are
    /// merged.
    fn write(&mut self, context: &mut Context<'_>) -> Result<(), h2::Error> {
        let shard = Rc::clone(&self.registration.shard);
        let shared = &*shard.shared;
        let stream = Rc::clone(&self.registration.stream);
        while shared.is_answering() && stream.core.borrow().may_respond() && self.has_room(context) {
            let now = shared.now();
            let response = {
                let store = shared.store.read();
                stream.core.borrow_mut().next_response(&store, now)
            };
            stream.count_deliveries(&shard, now);
            shared.metrics.denied(stream.core.borrow_mut().take_denied());
            let Some(response) = response else { break };
            shared.metrics.sent(&response);
            stream.responded.set(true);
            self.unsent = response.total_len();
            self.stall_timer = None;
            self.reader.responded();
            stream.connection.meter.credit(self.unsent);
            self.sender()?.send_data(Payload::Response(response.into()), false)?;
        }
        let deadline = stream.core.borrow().next_deadline();
        stream.set_deadline(&shard, deadline);
        Ok(())
    }

    /// Ready when the client did not read its last response in time: its window is closed, or it reads next to nothing.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<StreamEnd> {
        if self.unsent == 0 {
            return Poll::Pending;
        }
        if self.has_room(context) {
            (self.unsent, self.stall_timer) = (0, None);
            return Poll::Pending;
        }
        let Registration { shard, stream, .. } = &self.registration;
        let stall_timer = self.stall_timer.get_or_insert_with(|| {
            let Options { keepalive_interval, keepalive_timeout, .. } = *shard.options;
            let size = Duration::from_secs_f64(self.unsent as f64 / MIN_BYTES_PER_SECOND);
            Box::pin(sleep(keepalive_interval + keepalive_timeout + size))
        });
        stall_timer.as_mut().poll(context).map(|()| {
            shard.shared.limits.count(Limit::Unread, &stream.connection.peer.address);
            // A status would be queued behind what is not read.
            self.respond.send_reset(Reason::ENHANCE_YOUR_CALM);
            StreamEnd::Reset
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

    /// Send the status, unless the client is gone.
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

/// The name of a status in gRPC's specification.
fn status_name(code: Code) -> &'static str {
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
