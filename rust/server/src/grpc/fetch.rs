//! One request without HTTP/2: a state-of-the-world stream of one type that ends with its first response, for
//! REST-JSON.
//!
//! The core treats it as any other stream: the client is classified, its names are demanded, and demand outlives the
//! stream by the grace time, so that a client that polls within it is answered at once.

use std::rc::Rc;
use std::sync::mpsc::Sender as Reply;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::future::poll_fn;
use steerway_engine::{Effects, Protocol, Response, Service, TypeId};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, Status};

use crate::limits::control_frames::ControlFrameMeter;
use crate::net::peer::{Peer, Token};
use crate::observe::panic::catch;
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::slice::SliceWaiter;
use crate::xds::stream_handle::StreamHandle;
use crate::xds::streams::{Registration, Streams};

/// A request and its client.
pub struct FetchRequest {
    /// The requested type.
    pub type_id: TypeId,
    /// The serialised DiscoveryRequest.
    pub message: Bytes,
    /// The client.
    pub peer: Peer,
    /// Its bearer token.
    pub token: Token,
    /// How long to wait for names without an answer.
    pub timeout: Duration,
}

/// A response has the prefix of a gRPC message.
const PREFIX: usize = 5;

/// Answer a request; the sender is dropped without a reply when the server ends.
pub(crate) async fn fetch(streams: Rc<Streams>, request: FetchRequest, reply: Reply<Result<Bytes, Status>>) {
    let message = |mut response: Response| {
        response.advance(PREFIX);
        response.copy_to_bytes(response.remaining())
    };
    // Fails only when the caller no longer waits.
    let _ = reply.send(answer(&streams, request).await.map(message));
}

async fn answer(streams: &Rc<Streams>, request: FetchRequest) -> Result<Response, Status> {
    let shard = &streams.shard;
    let shared = &shard.shared;
    let FetchRequest { type_id, message, peer, token, timeout } = request;
    shared.open_stream(&peer)?;
    let connection = ConnectionContext::new(shared, peer, ControlFrameMeter::new(shared.now()), None);
    let method = ("REST", Protocol::Sotw, Service::PerType(type_id));
    let registration = streams.register(&connection, token, method);
    take(&registration, &message)?;
    let mut waiter = SliceWaiter::default();
    let whole = poll_fn(|context| {
        let Registration { stream, .. } = &registration;
        stream.watch(context.waker());
        match catch(|| {
            while stream.has_pending_interest() {
                let Poll::Ready(_permit) = waiter.poll(&shard.slices, context) else { return None };
                charged(&registration, || stream.register_pending(shard));
            }
            poll(&registration, type_id)
        }) {
            Ok(Some(answer)) => Poll::Ready(answer),
            Ok(None) => Poll::Pending,
            Err(fault) => Poll::Ready(Err(stream.panicked(shard, fault))),
        }
    });
    let deadline = Instant::now() + timeout;
    match timeout_at(deadline, within_budget(&registration.stream)).await {
        Ok(within) => within?,
        Err(_) => {
            return Err(Status::resource_exhausted("the CPU budget of this client is used up; try again"));
        }
    }
    if let Ok(answer) = timeout_at(deadline, whole).await {
        return answer;
    }
    // Some names may have an answer: the client requests the others again.
    respond(&registration).ok_or_else(|| {
        let text = "no requested name was answered in time; try again";
        Status::deadline_exceeded(text)
    })
}

/// Wait until the CPU budgets allow a response. An error ends the request.
async fn within_budget(stream: &StreamHandle) -> Result<(), Status> {
    while let Some(wait) = stream.budget.wait()? {
        sleep(wait).await;
    }
    Ok(())
}

/// Do work and charge its time: a stream charges in steps, and this one ends before the first.
fn charged<T>(Registration { shard, stream, .. }: &Registration, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = work();
    shard.shared.charge(stream.budget.account(), begin.elapsed());
    result
}

fn take(registration: &Registration, message: &[u8]) -> Result<(), Status> {
    charged(registration, || subscribe(registration, message))
}

fn subscribe(Registration { shard, stream, .. }: &Registration, message: &[u8]) -> Result<(), Status> {
    let mut effects = Effects::default();
    let taken = stream.core.borrow_mut().on_message(message, shard.shared.now(), &mut effects);
    taken.map_err(|fault| Status::new(Code::from_i32(fault.code as i32), fault.message))?;
    stream.check_node(shard, &effects)?;
    stream.charge()?;
    stream.apply(shard, &mut effects);
    Ok(())
}

/// The response, once every name has an answer; or the status that ends the stream.
fn poll(registration: &Registration, type_id: TypeId) -> Option<Result<Response, Status>> {
    charged(registration, || whole_answer(registration, type_id))
}

fn whole_answer(registration: &Registration, type_id: TypeId) -> Option<Result<Response, Status>> {
    let Registration { shard, stream, .. } = registration;
    if let Some(status) = stream.ending.take() {
        let shutting_down = || Status::unavailable("the server is shutting down; try again");
        return Some(Err(if status.code() == Code::Ok { shutting_down() } else { status }));
    }
    let settled = shard.shared.is_answering() && {
        let views = stream.core.borrow().snapshot(&shard.shared.store.read(), shard.shared.now(), false);
        views.iter().all(|view| view.waiting.is_empty())
    };
    // On a stream names without a resource get no response; here it is an empty one.
    settled.then(|| {
        Ok(respond(registration).unwrap_or_else(|| stream.core.borrow_mut().empty_response(type_id)))
    })
}

fn respond(Registration { shard, stream, .. }: &Registration) -> Option<Response> {
    let shared = &shard.shared;
    let response = stream.core.borrow_mut().next_response(&shared.store.read(), shared.now());
    shared.metrics.denied(stream.core.borrow_mut().take_denied());
    response.inspect(|response| shared.metrics.sent(response))
}
