//! Drives one HTTP/2 http2 and all its streams in one task.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, FutureExt, LocalBoxFuture, ready, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use crate::http2::age::{AgeStep, ConnectionAge};
use crate::http2::authority::AuthorityRewriter;
use crate::http2::keepalive::Keepalive;
use crate::limits::connection_slot::{ConnectionSlot, SlotGrant};
use crate::limits::control_frames::{ControlFrameMeter, MeteredStream};
use crate::limits::limit::Limit;
use crate::net::listener::Socket;
use crate::net::peer::{Peer, Token};
use crate::net::tls::{self, ClientProtocol, HandshakeFailure};
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::shard::Shard;
use crate::runtime::wakeup::drive;
use crate::server::handle::Options;
use crate::xds::payload::Payload;
use crate::xds::stream_driver::StreamDriver;
use crate::{grpc::adaptor, observe::panic, xds::method};

/// A peer that opens a socket and does not serve_http2 HTTP/2 by then is cut off; sooner when requests have less time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests are small. What a client may send ahead of being read is what it may make this server hold: the bytes, and what
/// h2 needs to keep each frame. (The least request has some 70 bytes.)
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
const FRAME_OVERHEAD: usize = 256 << 10;
const MAX_HEADERS: u32 = 16 << 10;

/// Streams that the client has reset and h2 remembers, before they were accepted (CVE-2023-44487) and after.
const MAX_RESET_STREAMS: usize = 20;

/// Streams that h2 resets for a mistake of the client, until the http2 is not worth keeping.
const MAX_FAULTY_STREAMS: usize = 100;

/// What h2 says when it ends a http2 for one of these.
const FLOOD: Option<Reason> = Some(Reason::ENHANCE_YOUR_CALM);

/// The parts of a http2's task, each woken on its own.
const DRAINING: usize = 0;
const KEEPALIVE: usize = 1;
const AGE: usize = 2;
const STREAMS: usize = 3;
const CONNECTION: usize = 4;
const PARTS: usize = 5;

/// The other end of a http2, and the slot of that.
type Client = (Peer, ConnectionSlot);

/// A http2 with its streams, until one side ends it.
type Running = LocalBoxFuture<'static, ()>;

/// Serve a http2 until the client, a drain or the need for its slot closes it.
pub(crate) async fn serve(shard: Rc<Shard>, socket: Socket, peer: Peer, (slot, evicted): SlotGrant) {
    let serving = pin!(async {
        // What a handshake needs is given back before the http2 lives on, for days perhaps.
        if let Some(http2) = Box::pin(handshake(shard, socket, (peer, slot))).await {
            http2.await;
        }
    });
    match select(serving, evicted).await {
        Either::Left(_) | Either::Right((Ok(()), _)) => {}
        // It was admitted.
        Either::Right((Err(_), serving)) => serving.await,
    }
}

fn handshake_timeout(options: &Options) -> Duration {
    HANDSHAKE_TIMEOUT.min(options.request_timeout)
}

async fn handshake(shard: Rc<Shard>, socket: Socket, client: Client) -> Option<Running> {
    let deadline = Instant::now() + handshake_timeout(&shard.options);
    // Adopting a socket fails only when the process has run out of something: then the client must come again.
    match socket {
        Socket::Tcp(socket) => {
            let socket = TcpStream::from_std(socket).ok()?;
            let _ = socket.set_nodelay(true);
            handshake_tcp(shard, socket, client, deadline).await
        }
        Socket::Unix(socket) => {
            let socket = AuthorityRewriter::new(UnixStream::from_std(socket).ok()?);
            serve_http2(shard, client, ready(Ok((socket, Arc::default()))), deadline).await
        }
    }
}

async fn handshake_tcp(
    shard: Rc<Shard>,
    socket: TcpStream,
    client: Client,
    deadline: Instant,
) -> Option<Running> {
    let shared = Arc::clone(&shard.shared);
    let protocol = timeout_at(deadline, tls::detect_protocol(&socket)).await;
    match (protocol, &shared.tls) {
        (Ok(ClientProtocol::None), _) => None,
        (Ok(ClientProtocol::Plaintext), None) => {
            serve_http2(shard, client, ready(Ok((socket, Arc::default()))), deadline).await
        }
        (Ok(ClientProtocol::Tls), Some(tls)) => {
            serve_http2(shard, client, tls.accept(socket), deadline).await
        }
        (Ok(misplaced), _) => {
            shared.handshake_failed(&client.0.address, misplaced.failure());
            let _ = timeout_at(deadline, misplaced.reject(socket)).await;
            None
        }
        (Err(_), _) => {
            shared.handshake_failed(
                &client.0.address,
                HandshakeFailure::timeout(handshake_timeout(&shard.options)),
            );
            None
        }
    }
}

/// Speak HTTP/2 over what the greeting ends with: a stream of bytes, and the names of the client's certificate.
async fn serve_http2<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    shard: Rc<Shard>,
    (mut peer, slot): Client,
    greeting: impl Future<Output = Result<(S, Arc<[String]>), HandshakeFailure>>,
    deadline: Instant,
) -> Option<Running> {
    let handshake = async {
        let (io, certificate) = greeting.await?;
        let meter = ControlFrameMeter::new(shard.shared.now());
        let io = MeteredStream::new(io, Rc::clone(&meter));
        let http2 = builder(&shard.options).handshake::<_, Payload>(io).await;
        http2.map(|http2| (http2, certificate, meter)).map_err(|error| HandshakeFailure::http2(&error))
    };
    let outcome = timeout_at(deadline, handshake).await;
    match outcome.unwrap_or_else(|_| Err(HandshakeFailure::timeout(handshake_timeout(&shard.options)))) {
        Ok((http2, certificate, meter)) => {
            peer.certificate = certificate;
            let connection = ConnectionContext::new(&shard.shared, peer, meter, Some(slot));
            Some(run(shard, http2, connection))
        }
        Err(failure) => {
            shard.shared.handshake_failed(&peer.address, failure);
            None
        }
    }
}

/// Run a http2 and its streams until one side ends it.
fn run<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    shard: Rc<Shard>,
    mut http2: Connection<S, Payload>,
    connection: Rc<ConnectionContext>,
) -> Running {
    // An async function would have room for its arguments twice.
    let run = async move {
        let Shard { shared, options, .. } = &*shard;
        let limited = |limit| shared.limited(limit, &connection.peer.address);
        let Some(pings) = http2.ping_pong() else { return };
        let mut keepalive = Keepalive::new(pings, options.keepalive_interval, options.keepalive_timeout);
        let mut draining = pin!(shard.draining.cancelled().fuse());
        let mut age = ConnectionAge::new(options);
        let mut flooded = false;
        let mut streams = FuturesUnordered::new();
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
                while let Poll::Ready(step) = age.poll(&mut context, streams.is_empty()) {
                    match step {
                        AgeStep::Drain => {
                            http2.graceful_shutdown();
                            connection.drain(&shard);
                        }
                        AgeStep::EndStreams => connection.end(&shard),
                        AgeStep::Close => return Poll::Ready(()),
                    }
                    wakeups.wake(CONNECTION);
                }
            }
            // Streams write before the http2 flushes: one wake-up ends in one system call.
            if let Some(mut context) = wakeups.take(STREAMS) {
                while let Poll::Ready(Some(())) = streams.poll_next_unpin(&mut context) {}
                if streams.is_empty() {
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
                    if streams.is_empty() {
                        wakeups.wake(AGE);
                    }
                    streams.push(stream(&shard, &connection, request, respond));
                    wakeups.wake(STREAMS);
                }
            }
            Poll::Pending
        })
        .await;
    };
    run.boxed_local()
}

fn builder(options: &Options) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(options.max_concurrent_streams)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .data_frame_budget(FRAME_OVERHEAD)
        .max_header_list_size(MAX_HEADERS)
        .max_concurrent_reset_streams(MAX_RESET_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(Some(MAX_FAULTY_STREAMS));
    builder
}

/// The task of one stream. A fault of ours in one must not end the others.
fn stream(
    shard: &Rc<Shard>,
    connection: &Rc<ConnectionContext>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Payload>,
) -> LocalBoxFuture<'static, ()> {
    let (shard, connection) = (Rc::clone(shard), Rc::clone(connection));
    let address = Arc::clone(&connection.peer.address);
    let shared = Arc::clone(&shard.shared);
    let task = match method::find(request.uri().path()) {
        Some(_) if !shared.streams.take(1) => {
            let text =
                format!("{} streams are open, as many as there may be (max_streams)", shared.streams.limit());
            let status = shared.refuse(Limit::Streams, &address, text);
            shared.metrics.rejected("RESOURCE_EXHAUSTED");
            // Fails only when the client is gone.
            let _ = respond.send_response(status.into_http(), true);
            return std::future::ready(()).boxed_local();
        }
        Some(method) => {
            let token = Token::of(request.headers());
            let driver =
                StreamDriver::new(&shard, &connection, token, method, (request.into_body(), respond));
            driver.run().boxed_local()
        }
        None => async move { adaptor::serve(&shard, &connection, request, respond).await }.boxed_local(),
    };
    let contained = panic::catch_task(task);
    let run = async move {
        if let Err(fault) = contained.await {
            shared.panicked(fault, &address);
        }
    };
    run.boxed_local()
}
