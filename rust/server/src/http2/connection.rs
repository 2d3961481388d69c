//! Drives one HTTP/2 connection and all its streams in one task.

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

use crate::http2::age::{Age, Step};
use crate::http2::authority::NamedAuthority;
use crate::http2::keepalive::Keepalive;
use crate::limits::connection_slot::{Held, Slot};
use crate::limits::control_frames::{Meter, Metered};
use crate::limits::limit::Limit;
use crate::net::listener::Socket;
use crate::net::peer::{Peer, Token};
use crate::net::tls::{self, Failure, Opening};
use crate::runtime::connection_context::Link;
use crate::runtime::shard::Shard;
use crate::runtime::wakeup::drive;
use crate::server::handle::Options;
use crate::xds::payload::Payload;
use crate::xds::stream_driver::Exchange;
use crate::{grpc::adaptor, observe::panic, xds::method};

/// A peer that opens a socket and does not speak HTTP/2 by then is cut off; sooner when requests have less time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests are small. What a client may send ahead of being read is what it may make this server hold: the bytes, and what
/// h2 needs to keep each frame. (The least request has some 70 bytes.)
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
const FRAME_OVERHEAD: usize = 256 << 10;
const MAX_HEADERS: u32 = 16 << 10;

/// Streams that the client has reset and h2 remembers, before they were accepted (CVE-2023-44487) and after.
const MAX_RESET_STREAMS: usize = 20;

/// Streams that h2 resets for a mistake of the client, until the connection is not worth keeping.
const MAX_FAULTY_STREAMS: usize = 100;

/// What h2 says when it ends a connection for one of these.
const FLOOD: Option<Reason> = Some(Reason::ENHANCE_YOUR_CALM);

/// The parts of a connection's task, each woken on its own.
const DRAINING: usize = 0;
const KEEPALIVE: usize = 1;
const AGE: usize = 2;
const STREAMS: usize = 3;
const CONNECTION: usize = 4;
const PARTS: usize = 5;

/// The other end of a connection, and the slot of that.
type Client = (Peer, Slot);

/// A connection with its streams, until one side ends it.
type Running = LocalBoxFuture<'static, ()>;

/// Serve a connection until the client, a drain or the need for its slot closes it.
pub(crate) async fn serve(shard: Rc<Shard>, socket: Socket, peer: Peer, (slot, displaced): Held) {
    let serving = pin!(async {
        // What a handshake needs is given back before the connection lives on, for days perhaps.
        if let Some(connection) = Box::pin(shake_hands(shard, socket, (peer, slot))).await {
            connection.await;
        }
    });
    match select(serving, displaced).await {
        Either::Left(_) | Either::Right((Ok(()), _)) => {}
        // It was admitted.
        Either::Right((Err(_), serving)) => serving.await,
    }
}

fn handshake_timeout(options: &Options) -> Duration {
    HANDSHAKE_TIMEOUT.min(options.request_timeout)
}

async fn shake_hands(shard: Rc<Shard>, socket: Socket, client: Client) -> Option<Running> {
    let deadline = Instant::now() + handshake_timeout(&shard.options);
    // Adopting a socket fails only when the process has run out of something: then the client must come again.
    match socket {
        Socket::Tcp(socket) => {
            let socket = TcpStream::from_std(socket).ok()?;
            let _ = socket.set_nodelay(true);
            shake_hands_tcp(shard, socket, client, deadline).await
        }
        Socket::Unix(socket) => {
            let socket = NamedAuthority::new(UnixStream::from_std(socket).ok()?);
            speak(shard, client, ready(Ok((socket, Arc::default()))), deadline).await
        }
    }
}

async fn shake_hands_tcp(
    shard: Rc<Shard>,
    socket: TcpStream,
    client: Client,
    deadline: Instant,
) -> Option<Running> {
    let shared = Arc::clone(&shard.shared);
    let opening = timeout_at(deadline, tls::opening(&socket)).await;
    match (opening, &shared.tls) {
        (Ok(Opening::Nothing), _) => None,
        (Ok(Opening::Plaintext), None) => {
            speak(shard, client, ready(Ok((socket, Arc::default()))), deadline).await
        }
        (Ok(Opening::Tls), Some(tls)) => speak(shard, client, tls.accept(socket), deadline).await,
        (Ok(misplaced), _) => {
            shared.handshake_failed(&client.0.address, misplaced.failure());
            let _ = timeout_at(deadline, misplaced.turn_away(socket)).await;
            None
        }
        (Err(_), _) => {
            shared.handshake_failed(&client.0.address, Failure::timeout(handshake_timeout(&shard.options)));
            None
        }
    }
}

/// Speak HTTP/2 over what the greeting ends with: a stream of bytes, and the names of the client's certificate.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    shard: Rc<Shard>,
    (mut peer, slot): Client,
    greeting: impl Future<Output = Result<(S, Arc<[String]>), Failure>>,
    deadline: Instant,
) -> Option<Running> {
    let handshake = async {
        let (io, certificate) = greeting.await?;
        let meter = Meter::new(shard.shared.now());
        let io = Metered::new(io, Rc::clone(&meter));
        let connection = builder(&shard.options).handshake::<_, Payload>(io).await;
        connection.map(|connection| (connection, certificate, meter)).map_err(|error| Failure::http2(&error))
    };
    let outcome = timeout_at(deadline, handshake).await;
    match outcome.unwrap_or_else(|_| Err(Failure::timeout(handshake_timeout(&shard.options)))) {
        Ok((connection, certificate, meter)) => {
            peer.certificate = certificate;
            let link = Link::new(&shard.shared, peer, meter, Some(slot));
            Some(run(shard, connection, link))
        }
        Err(failure) => {
            shard.shared.handshake_failed(&peer.address, failure);
            None
        }
    }
}

/// Run a connection and its streams until one side ends it.
fn run<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    shard: Rc<Shard>,
    mut connection: Connection<S, Payload>,
    link: Rc<Link>,
) -> Running {
    // An async function would have room for its arguments twice.
    let run = async move {
        let Shard { shared, options, .. } = &*shard;
        let limited = |limit| shared.limited(limit, &link.peer.address);
        let Some(pings) = connection.ping_pong() else { return };
        let mut keepalive = Keepalive::new(pings, options.keepalive_interval, options.keepalive_timeout);
        let mut draining = pin!(shard.draining.cancelled().fuse());
        let mut age = Age::new(options);
        let mut flooded = false;
        let mut streams = FuturesUnordered::new();
        drive::<PARTS, ()>(|wakes| {
            if let Some(mut context) = wakes.take(DRAINING)
                && draining.as_mut().poll_unpin(&mut context).is_ready()
            {
                connection.graceful_shutdown();
                wakes.wake(CONNECTION);
            }
            if let Some(mut context) = wakes.take(KEEPALIVE)
                && keepalive.poll(&mut context, link.heard.get()).is_ready()
            {
                return Poll::Ready(());
            }
            if let Some(mut context) = wakes.take(AGE) {
                while let Poll::Ready(step) = age.poll(&mut context, streams.is_empty()) {
                    match step {
                        Step::Leave => {
                            connection.graceful_shutdown();
                            link.leave(&shard);
                        }
                        Step::End => link.end(&shard),
                        Step::Close => return Poll::Ready(()),
                    }
                    wakes.wake(CONNECTION);
                }
            }
            // Streams write before the connection flushes: one wake-up ends in one system call.
            if let Some(mut context) = wakes.take(STREAMS) {
                while let Poll::Ready(Some(())) = streams.poll_next_unpin(&mut context) {}
                if streams.is_empty() {
                    wakes.wake(AGE);
                }
            }
            if let Some(mut context) = wakes.take(CONNECTION) {
                if !link.meter.begin_turn(|| shared.now()) && !std::mem::replace(&mut flooded, true) {
                    limited(Limit::ControlFrames);
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    age.close();
                    wakes.wake(AGE);
                }
                while let Poll::Ready(accepted) = connection.poll_accept(&mut context) {
                    let (request, respond) = match accepted {
                        Some(Ok(opened)) => opened,
                        Some(Err(error)) if error.is_library() && error.reason() == FLOOD => {
                            limited(Limit::ControlFrames);
                            return Poll::Ready(());
                        }
                        Some(Err(_)) | None => return Poll::Ready(()),
                    };
                    if streams.is_empty() {
                        wakes.wake(AGE);
                    }
                    streams.push(stream(&shard, &link, request, respond));
                    wakes.wake(STREAMS);
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
    link: &Rc<Link>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Payload>,
) -> LocalBoxFuture<'static, ()> {
    let (shard, link) = (Rc::clone(shard), Rc::clone(link));
    let address = Arc::clone(&link.peer.address);
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
            let exchange = Exchange::new(&shard, &link, token, method, (request.into_body(), respond));
            exchange.run().boxed_local()
        }
        None => async move { adaptor::serve(&shard, &link, request, respond).await }.boxed_local(),
    };
    let contained = panic::contain_task(task);
    let run = async move {
        if let Err(fault) = contained.await {
            shared.panicked(fault, &address);
        }
    };
    run.boxed_local()
}
