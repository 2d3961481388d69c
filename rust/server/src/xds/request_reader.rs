//! Reads the requests of one stream, within their limits of size, rate and time.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;

use crate::limits::limit::Limit;
use crate::limits::rate::TokenBucket;
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::options::Options;
use crate::runtime::shared::Shared;
use crate::xds::framing::{Deframer, FrameError};

/// Bytes of an incomplete request that are not counted: a frame.
const FREE_BUFFER: usize = 16 << 10;

/// Changed subscriptions that cost as much as one request: each of them may be work for Python.
const NAMES_PER_REQUEST: f64 = 10.0;

/// How a stream ends.
pub(crate) enum StreamEnd {
    /// The client gets a status.
    Status(Status),
    /// The client reset the stream, or the connection broke.
    Reset,
}

/// Reads complete requests from the body.
///
/// Requests above the rate are delayed by not reading them: HTTP/2's flow control stops the client, which loses
/// nothing. Refused, it would reconnect with all its subscriptions. Requests that answer a response are free, so that
/// the rate of changes does not matter.
pub(crate) struct RequestReader {
    body: RecvStream,
    deframer: Deframer,
    connection: Rc<ConnectionContext>,
    shared: Arc<Shared>,
    /// Read, but not yet released to the client's window.
    unreleased: usize,
    /// Bytes taken from the buffers of all streams.
    charged: usize,
    rate: TokenBucket,
    /// A request that may have to wait for the rate.
    next: Option<Bytes>,
    rate_wait: Option<Pin<Box<Sleep>>>,
    timeout: Duration,
    /// When the next request must be complete.
    deadline: Option<Pin<Box<Sleep>>>,
    received_first: bool,
}

impl RequestReader {
    pub(crate) fn new(
        body: RecvStream,
        connection: &Rc<ConnectionContext>,
        shared: &Arc<Shared>,
        options: &Options,
    ) -> RequestReader {
        let rate = f64::from(options.max_requests_per_second);
        RequestReader {
            body,
            deframer: Deframer::new(options.max_request_bytes),
            connection: Rc::clone(connection),
            shared: Arc::clone(shared),
            unreleased: 0,
            charged: 0,
            rate: TokenBucket::new(rate, rate, shared.now()),
            next: None,
            rate_wait: None,
            timeout: options.request_timeout,
            deadline: None,
            received_first: false,
        }
    }

    /// The next request. An error ends the stream.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, StreamEnd>> {
        while self.next.is_none() {
            match self.deframer.next() {
                Ok(None) => {}
                Ok(next) => {
                    self.next = next;
                    self.received_first = true;
                    self.deadline = None;
                    break;
                }
                Err(error) => return Poll::Ready(Err(StreamEnd::Status(self.status_of(error)))),
            }
            if let Err(end) = ready!(self.poll_body(context)) {
                return Poll::Ready(Err(end));
            }
        }
        ready!(self.poll_rate_limit(context));
        self.rate.spend(1.0);
        Poll::Ready(Ok(self.next.take().expect("one was read")))
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamEnd>> {
        // Fails only when the stream is closed, which poll_data reports.
        let _ = self.body.flow_control().release_capacity(std::mem::take(&mut self.unreleased));
        let end = match self.body.poll_data(context) {
            Poll::Pending => StreamEnd::Status(ready!(self.poll_request_deadline(context))),
            Poll::Ready(Some(Ok(piece))) => {
                self.connection.last_received.set(Instant::now());
                self.unreleased = piece.len();
                self.deframer.push(piece);
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Some(Err(_))) => StreamEnd::Reset,
            Poll::Ready(None) if self.deframer.is_between() => StreamEnd::Status(Status::ok("")),
            Poll::Ready(None) => {
                StreamEnd::Status(Status::invalid_argument("the client ended the stream inside a message"))
            }
        };
        Poll::Ready(Err(end))
    }

    /// The last request changed this number of subscriptions.
    pub(crate) fn charge_names(&mut self, names: usize) {
        self.rate.spend(names as f64 / NAMES_PER_REQUEST);
    }

    /// The client was sent a response, and may answer it.
    pub(crate) fn responded(&mut self) {
        self.rate.credit(1.0);
    }

    fn poll_rate_limit(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(wait) = self.rate.wait(|| self.shared.now()) {
            let rate_wait = self.rate_wait.get_or_insert_with(|| {
                self.shared.limits.count(Limit::RequestsPerSecond, &self.connection.peer.address);
                Box::pin(sleep(wait))
            });
            if rate_wait.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            rate_wait.as_mut().reset(Instant::now() + wait);
        }
        self.rate_wait = None;
        Poll::Ready(())
    }

    /// Ready with a status when the client does not send its first request or complete a request in time, or when
    /// incomplete requests take too much memory.
    fn poll_request_deadline(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        if !self.charge_buffer() {
            let text = "too many incomplete requests on this server; try again";
            return Poll::Ready(self.refused(Limit::RequestBuffers, text.to_owned()));
        }
        if self.received_first && self.deframer.is_between() {
            return Poll::Pending;
        }
        let timeout = self.timeout;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
        deadline.as_mut().poll(context).map(|()| {
            self.shared.limits.count(Limit::RequestTimeout, &self.connection.peer.address);
            let seconds = timeout.as_secs_f64();
            Status::deadline_exceeded(format!(
                "no complete request within {seconds} s (request_timeout_seconds)"
            ))
        })
    }

    /// Count the bytes of an incomplete request beyond the free part.
    fn charge_buffer(&mut self) -> bool {
        let buffered = self.deframer.buffered_bytes().saturating_sub(FREE_BUFFER);
        if buffered > self.charged && !self.shared.request_buffers.take(buffered - self.charged) {
            return false;
        }
        self.shared.request_buffers.release(self.charged.saturating_sub(buffered));
        self.charged = buffered;
        true
    }

    fn status_of(&self, error: FrameError) -> Status {
        match error {
            FrameError::TooLong(limit) => {
                let text = format!("the request is longer than {limit} bytes (max_request_bytes)");
                self.refused(Limit::RequestBytes, text)
            }
            FrameError::Compressed => {
                Status::unimplemented("compressed requests are not supported; send them uncompressed")
            }
        }
    }

    fn refused(&self, limit: Limit, text: String) -> Status {
        self.shared.limits.refuse(limit, &self.connection.peer.address, text)
    }
}

impl Drop for RequestReader {
    fn drop(&mut self) {
        self.shared.request_buffers.release(self.charged);
    }
}
