//! Serves tonic's services (health, reflection, client status, load reports) on an HTTP/2 stream of this crate.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::{Either, poll_fn, select};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::timeout;
use tonic::Status;
use tower_service::Service;

use crate::limits::limit::Limit;
use crate::net::peer::Token;
use crate::observe::call::Caller;
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::shard::Shard;
use crate::xds::payload::Payload;

/// Serve one request, until the client resets it or a drain ends.
pub(crate) async fn serve(
    shard: &Shard,
    connection: &ConnectionContext,
    request: Request<RecvStream>,
    respond: SendResponse<Payload>,
) {
    let answer = pin!(answer(shard, connection, request, respond));
    let ending = pin!(connection.ending(&shard.ending).cancelled());
    match select(answer, ending).await {
        Either::Left(_) | Either::Right(_) => {}
    }
}

async fn answer(
    shard: &Shard,
    connection: &ConnectionContext,
    mut request: Request<RecvStream>,
    mut respond: SendResponse<Payload>,
) -> Result<(), h2::Error> {
    let caller = Caller { peer: Arc::clone(&connection.peer), token: Token::of(request.headers()) };
    request.extensions_mut().insert(caller);
    let answered =
        timeout(shard.options.request_timeout, shard.routes.clone().call(request.map(RequestBody)));
    let reset = poll_fn(|context| respond.poll_reset(context));
    let answered = match select(pin!(answered), pin!(reset)).await {
        Either::Left((answered, _)) => answered,
        // The client does not wait: free the resources at once.
        Either::Right(_) => return Ok(()),
    };
    let response = match answered {
        Ok(Ok(response)) => response,
        Err(_) => {
            shard.shared.limits.count(Limit::RequestTimeout, &connection.peer.address);
            let status = Status::deadline_exceeded("no complete request in time (request_timeout_seconds)");
            return respond.send_response(status.into_http(), true).map(drop);
        }
    };
    let (head, mut body) = response.into_parts();
    let mut send = respond.send_response(Response::from_parts(head, ()), body.is_end_stream())?;
    let mut ending = pin!(connection.ending(&shard.ending).cancelled());
    loop {
        let reset = poll_fn(|context| send.poll_reset(context));
        let frame = match select(select(pin!(reset), body.frame()), ending.as_mut()).await {
            Either::Left((Either::Left(_), _)) => return Ok(()),
            Either::Left((Either::Right((frame, _)), _)) => frame,
            // A reset would overtake the last message: a client that watches the health could miss NOT_SERVING.
            Either::Right(_) => return send.send_trailers(going_away()),
        };
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => send_all(&mut send, data).await?,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return send.send_trailers(trailers);
                }
            },
            // Bodies of tonic put their errors into the trailers.
            Some(Err(_)) | None => return Ok(()),
        }
    }
}

fn going_away() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let status = Status::unavailable("the server closes the connection");
    status.add_header(&mut trailers).expect("the text is plain ASCII");
    trailers
}

/// Send no faster than the client reads.
async fn send_all(send: &mut SendStream<Payload>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        send.reserve_capacity(data.len());
        let Some(room) = poll_fn(|context| send.poll_capacity(context)).await else { return Ok(()) };
        let piece = data.split_to(room?.min(data.len()));
        send.send_data(Payload::Plain(piece), false)?;
    }
    Ok(())
}

/// The request body as tonic reads it.
struct RequestBody(RecvStream);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let stream = &mut self.0;
        if let Some(data) = ready!(stream.poll_data(context)) {
            let data = data?;
            let _ = stream.flow_control().release_capacity(data.len());
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let trailers = ready!(stream.poll_trailers(context))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }
}
