//! The client status discovery service (CSDS); Python answers.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt, unfold};
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, StreamingService, UnaryService};
use tonic::{Code, Status, Streaming};
use tower_service::Service;

use crate::grpc::raw_codec::Raw;
use crate::observe::call::Caller;
use crate::runtime::shared::Shared;

/// A request has some matchers and a Node, which the discovery services limit to this.
const MAX_REQUEST_BYTES: usize = 256 << 10;

/// `envoy.service.status.v3.ClientStatusDiscoveryService`.
#[derive(Clone)]
pub(crate) struct ClientStatus(Arc<Shared>);

impl ClientStatus {
    pub(crate) fn new(shared: Arc<Shared>) -> ClientStatus {
        ClientStatus(shared)
    }

    async fn ask(self, method: &'static str, caller: Caller, message: Bytes) -> Result<Bytes, Status> {
        self.0.calls.ask(method, caller, message).await
    }
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
                return Ok(Status::internal("the caller is unknown").into_http());
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

/// One request, one response.
struct Fetch(ClientStatus, Caller);

impl UnaryService<Bytes> for Fetch {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let Fetch(service, caller) = self;
        let response = service.clone().ask("FetchClientStatus", caller.clone(), request.into_inner());
        Box::pin(async { response.await.map(tonic::Response::new) })
    }
}

/// A response for each request; the first error ends the stream.
struct Follow(ClientStatus, Caller);

impl StreamingService<Bytes> for Follow {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let Follow(service, caller) = self;
        let state = Some((request.into_inner(), service.clone(), caller.clone()));
        let answers = unfold(state, |state| async {
            let (mut requests, service, caller) = state?;
            let answer = match requests.next().await? {
                Ok(request) => service.clone().ask("StreamClientStatus", caller.clone(), request).await,
                Err(status) => Err(status),
            };
            let next = answer.is_ok().then_some((requests, service, caller));
            Some((answer, next))
        });
        ready(Ok(tonic::Response::new(answers.boxed())))
    }
}
