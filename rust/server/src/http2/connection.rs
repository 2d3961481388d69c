//! Drives one HTTP/2 connection and all its streams in one task.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::{FutureExt, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::grpc::adaptor;
use crate::http2::age::{AgeStep, ConnectionAge};
use crate::http2::keepalive::Keepalive;
use crate::limits::limit::Limit;
use crate::net::peer::Token;
use crate::observe::panic;
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::shard::Shard;
use crate::runtime::wakeup::drive;
use crate::xds::method;
use crate::xds::payload::Payload;
use crate::xds::stream_driver::StreamDriver;
use crate::xds::streams::Streams;

/// The reason with which h2 closes a connection for exceeding one of its limits.
const FLOOD: Option<Reason> = Some(Reason::ENHANCE_YOUR_CALM);

/// The parts of a connection's task, each woken on its own.
const DRAINING: usize = 0;
const KEEPALIVE: usize = 1;
const AGE: usize = 2;
const STREAMS: usize = 3;
const CONNECTION: usize = 4;
const PARTS: usize = 5;

/// A connection with its streams, until one side ends it.
pub(crate) type ConnectionTask = LocalBoxFuture<'static, ()>;

/// Run a connection and its streams until one side ends it.
pub(crate) fn run<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    streams: Rc<Streams>,
    mut http2: Connection<S, Payload>,
    connection: Rc<ConnectionContext>,
) -> ConnectionTask {
    // An async function would store its arguments twice.
    let run = async move {
        let shard = &streams.shard;
        let Shard { shared, options, .. } = &**shard;
        let limited = |limit| shared.limits.count(limit, &connection.peer.address);
        let Some(pings) = http2.ping_pong() else { return };
        let mut keepalive = Keepalive::new(pings, options.keepalive_interval, options.keepalive_timeout);
        let mut draining = pin!(shard.draining.cancelled().fuse());
        let mut age = ConnectionAge::new(options);
        let mut flooded = false;
        let mut tasks = FuturesUnordered::new();
        drive::<PARTS, ()>(|wakeups| {
            if let Some(mut context) = wakeups.take(DRAINING)
                && draining.as_mut().poll_unpin(&mut context).is_ready()
            {
                http2.graceful_shutdown();
                wakeups.wake(CONNECTION);
            }
            if let Some(mut context) = wakeups.take(KEEPALIVE)
                && keepalive.poll(&mut context, connection.last_received.get()).is_ready()
            {
                return Poll::Ready(());
            }
            if let Some(mut context) = wakeups.take(AGE) {
                while let Poll::Ready(step) = age.poll(&mut context, tasks.is_empty()) {
                    match step {
                        AgeStep::Drain => {
                            http2.graceful_shutdown();
                            streams.drain_connection(&connection);
                        }
                        AgeStep::EndStreams => streams.end_connection(&connection),
                        AgeStep::Close => return Poll::Ready(()),
                    }
                    wakeups.wake(CONNECTION);
                }
            }
            // Streams write before the connection flushes: one wake-up ends in one system call.
            if let Some(mut context) = wakeups.take(STREAMS) {
                while let Poll::Ready(Some(())) = tasks.poll_next_unpin(&mut context) {}
                if tasks.is_empty() {
                    wakeups.wake(AGE);
                }
            }
            if let Some(mut context) = wakeups.take(CONNECTION) {
                if !connection.meter.begin_poll(|| shared.now()) && !std::mem::replace(&mut flooded, true) {
                    limited(Limit::ControlFrames);
                    http2.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    age.close();
                    wakeups.wake(AGE);
                }
                while let Poll::Ready(accepted) = http2.poll_accept(&mut context) {
                    let (request, respond) = match accepted {
                        Some(Ok(opened)) => opened,
                        Some(Err(error)) if error.is_library() && error.reason() == FLOOD => {
                            limited(Limit::ControlFrames);
                            return Poll::Ready(());
                        }
                        Some(Err(_)) | None => return Poll::Ready(()),
                    };
                    if tasks.is_empty() {
                        wakeups.wake(AGE);
                    }
                    tasks.push(stream(&streams, &connection, request, respond));
                    wakeups.wake(STREAMS);
                }
            }
            Poll::Pending
        })
        .await;
    };
    run.boxed_local()
}

/// The task of one stream. A panic in it must not end the others.
fn stream(
    streams: &Rc<Streams>,
    connection: &Rc<ConnectionContext>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Payload>,
) -> LocalBoxFuture<'static, ()> {
    let connection = Rc::clone(connection);
    let address = Arc::clone(&connection.peer.address);
    let shared = Arc::clone(&streams.shard.shared);
    let task = match method::find(request.uri().path()) {
        Some(method) => {
            if let Err(status) = shared.open_stream(&connection.peer) {
                shared.metrics.rejected("RESOURCE_EXHAUSTED");
                // Fails only when the client is gone.
                let _ = respond.send_response(status.into_http(), true);
                return std::future::ready(()).boxed_local();
            }
            let token = Token::of(request.headers());
            let driver =
                StreamDriver::new(streams, &connection, token, method, (request.into_body(), respond));
            driver.run().boxed_local()
        }
        None => {
            let shard = Rc::clone(&streams.shard);
            async move { adaptor::serve(&shard, &connection, request, respond).await }.boxed_local()
        }
    };
    let task = panic::catch_task(task);
    let run = async move {
        if let Err(report) = task.await {
            shared.panicked(report, &address);
        }
    };
    run.boxed_local()
}
