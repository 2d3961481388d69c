//! PendingCalls that Python answers: the client status discovery service, and who may report load. Speed does not matter there,
//! order and memory do.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt, unfold};
use http::{Request, Response};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, StreamingService, UnaryService};
use tonic::{Code, Status, Streaming};
use tower_service::Service;

use crate::limits::account::ClientKey;
use crate::limits::call_slot::{AddressQueues, CallSlot, CallSlots, MAX_CALL_SLOTS};
use crate::limits::limit::Limit;
use crate::net::peer::{Peer, Token};
use crate::observe::event::Event;
use crate::runtime::shared::Shared;

/// Reporters of load come by the thousands, as many as there are clients: so many at a time are asked about, the others
/// wait, and slots are left for who asks for the status.
const MAX_ADMISSIONS: usize = MAX_CALL_SLOTS / 4;

/// Of these the reporters of one address, and how many more of it may wait: none waits behind all those of another one.
const MAX_ADMISSIONS_PER_ADDRESS: usize = MAX_ADMISSIONS / 4;
const MAX_REPORTERS_PER_ADDRESS: usize = 1024;

/// How long Python may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A request holds some matchers and a Node, which is limited like this elsewhere.
const MAX_REQUEST_BYTES: usize = 256 << 10;

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The client.
    pub peer: Arc<Peer>,
    /// The bearer token of the call.
    pub token: Token,
}

/// One message that waits for an answer.
#[derive(Debug)]
pub struct Call {
    /// Identity of the call, for its answer.
    pub id: u64,
    /// Path of the method.
    pub method: &'static str,
    /// The serialised request.
    pub message: Bytes,
    /// Who asks.
    pub caller: Caller,
    /// Held as long as the event exists: what is not polled counts, whether the client still waits or not.
    _slot: Arc<CallSlot>,
}

/// The calls that wait.
pub(crate) struct PendingCalls {
    last_id: AtomicU64,
    /// Reporters that are asked about now.
    admissions: Semaphore,
    queues: AddressQueues,
    slots: Arc<CallSlots>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<Bytes, Status>>>>,
}

impl Default for PendingCalls {
    fn default() -> PendingCalls {
        PendingCalls {
            last_id: AtomicU64::default(),
            admissions: Semaphore::new(MAX_ADMISSIONS),
            queues: AddressQueues::new(MAX_ADMISSIONS_PER_ADDRESS, MAX_REPORTERS_PER_ADDRESS),
            slots: Arc::default(),
            waiting: Mutex::default(),
        }
    }
}

impl PendingCalls {
    pub(crate) fn complete(&self, id: u64, answer: Result<Bytes, Status>) {
        if let Some(waiting) = self.waiting.lock().remove(&id) {
            // Fails only when the client is gone.
            let _ = waiting.send(answer);
        }
    }
}

/// Forgets a call that ends, answered or not.
struct PendingCall<'a>(&'a PendingCalls, u64);

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.0.waiting.lock().remove(&self.1);
    }
}

/// `envoy.service.status.v3.ClientStatusDiscoveryService`.
#[derive(Clone)]
pub(crate) struct ClientStatus(Arc<Shared>);

impl ClientStatus {
    pub(crate) fn new(shared: Arc<Shared>) -> ClientStatus {
        ClientStatus(shared)
    }

    async fn ask(self, method: &'static str, caller: Caller, message: Bytes) -> Result<Bytes, Status> {
        self.0.ask(method, caller, message).await
    }
}

impl Shared {
    /// Have Python say whether a client may report load, and what, when it is its admission.
    pub(crate) async fn admit_reporter(
        &self,
        method: &'static str,
        caller: Caller,
        message: Bytes,
    ) -> Result<Bytes, Status> {
        let address = ClientKey::of(&caller.peer);
        let Some(queue) = self.calls.queues.join(&address) else {
            let text =
                format!("{MAX_REPORTERS_PER_ADDRESS} reporters of load of {address} wait already; try again");
            return Err(self.refuse(Limit::CallsPerAddress, &caller.peer.address, text));
        };
        let admission = async { (queue.acquire().await, self.calls.admissions.acquire().await) };
        match timeout(ANSWER_TIMEOUT, admission).await {
            Ok((Ok(_own), Ok(_admission))) => self.ask(method, caller, message).await,
            _ => Err(timed_out()),
        }
    }

    /// Have Python answer.
    async fn ask(&self, method: &'static str, caller: Caller, message: Bytes) -> Result<Bytes, Status> {
        let calls = &self.calls;
        let (answer, answered) = oneshot::channel();
        let id = calls.last_id.fetch_add(1, Relaxed) + 1;
        let slot = calls.slots.take(&ClientKey::of(&caller.peer)).map(Arc::new).map_err(|exceeded| {
            let (limit, text) = exceeded.limit_and_message();
            self.refuse(limit, &caller.peer.address, text)
        })?;
        calls.waiting.lock().insert(id, answer);
        let _waiting = PendingCall(calls, id);
        let call = Call { id, method, message, caller, _slot: Arc::clone(&slot) };
        self.events.push(Event::Call(Box::new(call)));
        match timeout(ANSWER_TIMEOUT, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(timed_out()),
        }
    }
}

fn timed_out() -> Status {
    Status::unavailable(format!("no answer within {} s; try again", ANSWER_TIMEOUT.as_secs()))
}

impl NamedService for ClientStatus {
    const NAME: &'static str = "envoy.service.status.v3.ClientStatusDiscoveryService";
}

impl Service<Request<Body>> for ClientStatus {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let Some(caller) = request.extensions().get::<Caller>().cloned() else {
                return Ok(Status::internal("the caller is not known").into_http());
            };
            let mut grpc = Grpc::new(Raw).max_decoding_message_size(MAX_REQUEST_BYTES);
            Ok(match request.uri().path().rsplit('/').next() {
                Some("FetchClientStatus") => grpc.unary(Fetch(service, caller), request).await,
                Some("StreamClientStatus") => grpc.streaming(Follow(service, caller), request).await,
                _ => Status::new(Code::Unimplemented, "the service has no such method").into_http(),
            })
        })
    }
}

/// One question, one answer.
struct Fetch(ClientStatus, Caller);

impl UnaryService<Bytes> for Fetch {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let Fetch(service, caller) = self;
        let asked = service.clone().ask("FetchClientStatus", caller.clone(), request.into_inner());
        Box::pin(async { asked.await.map(tonic::Response::new) })
    }
}

/// Each message is a question; the stream ends with the first that is refused.
struct Follow(ClientStatus, Caller);

impl StreamingService<Bytes> for Follow {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let Follow(service, caller) = self;
        let state = Some((request.into_inner(), service.clone(), caller.clone()));
        let answers = unfold(state, |state| async {
            let (mut questions, service, caller) = state?;
            let answer = match questions.next().await? {
                Ok(question) => service.clone().ask("StreamClientStatus", caller.clone(), question).await,
                Err(status) => Err(status),
            };
            let next = answer.is_ok().then_some((questions, service, caller));
            Some((answer, next))
        });
        ready(Ok(tonic::Response::new(answers.boxed())))
    }
}

/// Messages as they are: Python reads and writes them.
#[derive(Clone, Copy)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
