//! The load reporting service (LRS): Python admits a stream by its first message and chooses what it reports; the
//! reports are recorded here.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, try_unfold};
use http::{Request, Response};
use steerway_engine::{Reporter, first_report_node};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Code, Status, Streaming};
use tower_service::Service;

use crate::grpc::raw_codec::Raw;
use crate::observe::call::Caller;
use crate::runtime::shared::Shared;

/// A report has a row for each locality of each cluster.
const MAX_REPORT_BYTES: usize = 256 << 10;

/// `envoy.service.load_stats.v3.LoadReportingService`.
#[derive(Clone)]
pub(crate) struct LoadReporting(Arc<Shared>);

impl LoadReporting {
    pub(crate) fn new(shared: Arc<Shared>) -> LoadReporting {
        LoadReporting(shared)
    }
}

impl NamedService for LoadReporting {
    const NAME: &'static str = "envoy.service.load_stats.v3.LoadReportingService";
}

impl Service<Request<Body>> for LoadReporting {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let Some(caller) = request.extensions().get::<Caller>().cloned() else {
                return Ok(Status::internal("the caller is unknown").into_http());
            };
            let mut grpc = Grpc::new(Raw).max_decoding_message_size(MAX_REPORT_BYTES);
            Ok(match request.uri().path().rsplit('/').next() {
                Some("StreamLoadStats") => grpc.streaming(StreamLoadStats(shared, caller), request).await,
                _ => Status::new(Code::Unimplemented, "the service has no such method").into_http(),
            })
        })
    }
}

/// The first message gets a response; it and all later messages are reports.
struct StreamLoadStats(Arc<Shared>, Caller);

impl StreamingService<Bytes> for StreamLoadStats {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let StreamLoadStats(shared, caller) = self;
        let answers = match Reporting::begin(shared, caller) {
            Ok(reporting) => answers(request.into_inner(), reporting, caller.clone()),
            Err(status) => stream::once(ready(Err(status))).boxed(),
        };
        ready(Ok(tonic::Response::new(answers)))
    }
}

fn answers(
    messages: Streaming<Bytes>,
    reporting: Reporting,
    caller: Caller,
) -> BoxStream<'static, Result<Bytes, Status>> {
    try_unfold((messages, reporting, Some(caller)), |(mut messages, mut reporting, mut caller)| async move {
        while let Some(message) = messages.message().await? {
            let Some(caller) = caller.take() else {
                reporting.take(&message)?;
                continue;
            };
            first_report_node(&message).map_err(status_of)?;
            let answer =
                reporting.shared.calls.admit_reporter("StreamLoadStats", caller, message.clone()).await?;
            reporting.take(&message)?;
            return Ok(Some((answer, (messages, reporting, None))));
        }
        Ok(None)
    })
    .boxed()
}

/// A client that reports. It counts as a stream, and what it reported as in progress ends with it.
struct Reporting {
    shared: Arc<Shared>,
    reporter: Reporter,
}

impl Reporting {
    fn begin(shared: &Arc<Shared>, caller: &Caller) -> Result<Reporting, Status> {
        shared.open_stream(&caller.peer)?;
        Ok(Reporting { shared: Arc::clone(shared), reporter: Reporter::default() })
    }

    fn take(&mut self, message: &[u8]) -> Result<(), Status> {
        let (shared, store) = (&self.shared, self.shared.store.read());
        shared.loads.lock().record(&mut self.reporter, message, &store, shared.now()).map_err(status_of)
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        self.shared.loads.lock().remove_reporter(&mut self.reporter);
        self.shared.close_stream();
    }
}

fn status_of(fault: steerway_engine::Status) -> Status {
    Status::new(Code::from_i32(fault.code as i32), fault.message)
}
