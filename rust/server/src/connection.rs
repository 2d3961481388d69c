//! Drives one HTTP/2 connection and all its streams in one task.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::RecvStream;
use h2::server::{Builder, Connection, SendResponse};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use crate::authority::NamedAuthority;
use crate::discovery::Exchange;
use crate::handshake::{self, Failure, Opening};
use crate::keepalive::Keepalive;
use crate::listener::Socket;
use crate::payload::Payload;
use crate::peer::{Peer, Token};
use crate::server::Options;
use crate::shard::Shard;
use crate::wakes::drive;
use crate::{route, unary};

/// A peer that opens a socket and does not speak HTTP/2 by then is cut off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests are small. What a client may send ahead of being read is what it may make this server hold.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const MAX_HEADERS: u32 = 16 << 10;

/// The parts of a connection's task, each woken on its own.
const DRAINING: usize = 0;
const KEEPALIVE: usize = 1;
const STREAMS: usize = 2;
const CONNECTION: usize = 3;
const PARTS: usize = 4;

/// Serve a connection until the client or a drain closes it.
pub(crate) async fn serve(shard: Rc<Shard>, socket: Socket, peer: Peer) {
    // Adopting a socket fails only when the process has run out of something: then the client must come again.
    match socket {
        Socket::Tcp(socket) => {
            let Ok(socket) = TcpStream::from_std(socket) else { return };
            let _ = socket.set_nodelay(true);
            serve_tcp(&shard, socket, peer).await;
        }
        Socket::Unix(socket) => {
            let Ok(socket) = UnixStream::from_std(socket) else { return };
            let greeting = ready(Ok((NamedAuthority::new(socket), Arc::default())));
            speak(&shard, peer, greeting, Instant::now() + HANDSHAKE_TIMEOUT).await;
        }
    }
}

async fn serve_tcp(shard: &Rc<Shard>, socket: TcpStream, peer: Peer) {
    let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
    let opening = timeout_at(deadline, handshake::opening(&socket)).await;
    match (opening, &shard.shared.tls) {
        (Ok(Opening::Nothing), _) => {}
        (Ok(Opening::Plaintext), None) => {
            speak(shard, peer, ready(Ok((socket, Arc::default()))), deadline).await;
        }
        (Ok(Opening::Tls), Some(tls)) => speak(shard, peer, tls.accept(socket), deadline).await,
        (Ok(misplaced), _) => {
            shard.shared.handshake_failed(&peer.address, misplaced.failure());
            let _ = timeout_at(deadline, misplaced.turn_away(socket)).await;
        }
        (Err(_), _) => shard.shared.handshake_failed(&peer.address, Failure::timeout(HANDSHAKE_TIMEOUT)),
    }
}

/// Speak HTTP/2 over what the greeting ends with: a stream of bytes, and the names of the client's certificate.
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
    shard: &Rc<Shard>,
    mut peer: Peer,
    greeting: impl Future<Output = Result<(S, Arc<[String]>), Failure>>,
    deadline: Instant,
) {
    let handshake = async {
        let (io, certificate) = greeting.await?;
        let connection = builder(&shard.options).handshake::<_, Payload>(io).await;
        connection.map(|connection| (connection, certificate)).map_err(|error| Failure::http2(&error))
    };
    let outcome = timeout_at(deadline, Box::pin(handshake)).await;
    match outcome.unwrap_or_else(|_| Err(Failure::timeout(HANDSHAKE_TIMEOUT))) {
        Ok((connection, certificate)) => {
            peer.certificate = certificate;
            // The task of a connection would have room for the largest kind otherwise.
            Box::pin(run(shard, connection, peer)).await;
        }
        Err(failure) => shard.shared.handshake_failed(&peer.address, failure),
    }
}

/// Run a connection and its streams until one side ends it.
async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    shard: &Rc<Shard>,
    mut connection: Connection<S, Payload>,
    peer: Peer,
) {
    let Some(pings) = connection.ping_pong() else { return };
    let Options { keepalive_interval, keepalive_timeout, .. } = *shard.options;
    let mut keepalive = Keepalive::new(pings, keepalive_interval, keepalive_timeout);
    let mut draining = pin!(shard.draining.cancelled().fuse());
    let peer = Arc::new(peer);
    let heard = Rc::new(Cell::new(Instant::now()));
    let mut streams = FuturesUnordered::new();
    drive::<PARTS, ()>(|wakes| {
        if let Some(mut context) = wakes.take(DRAINING)
            && draining.as_mut().poll_unpin(&mut context).is_ready()
        {
            connection.graceful_shutdown();
            wakes.wake(CONNECTION);
        }
        if let Some(mut context) = wakes.take(KEEPALIVE)
            && keepalive.poll(&mut context, heard.get()).is_ready()
        {
            return Poll::Ready(());
        }
        // Streams write before the connection flushes: one wake-up ends in one system call.
        if let Some(mut context) = wakes.take(STREAMS) {
            while let Poll::Ready(Some(())) = streams.poll_next_unpin(&mut context) {}
        }
        if let Some(mut context) = wakes.take(CONNECTION) {
            while let Poll::Ready(accepted) = connection.poll_accept(&mut context) {
                let Some(Ok((request, respond))) = accepted else { return Poll::Ready(()) };
                streams.push(stream(shard, &peer, request, respond, &heard));
                wakes.wake(STREAMS);
            }
        }
        Poll::Pending
    })
    .await;
}

fn builder(options: &Options) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(options.max_concurrent_streams)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADERS);
    builder
}

/// The task of one stream. A fault of ours in one must not end the others.
fn stream(
    shard: &Rc<Shard>,
    peer: &Arc<Peer>,
    request: Request<RecvStream>,
    respond: SendResponse<Payload>,
    heard: &Rc<Cell<Instant>>,
) -> LocalBoxFuture<'static, ()> {
    let shard = Rc::clone(shard);
    match route::find(request.uri().path()) {
        Some(method) => {
            let token = Token::of(request.headers());
            let io = (request.into_body(), respond);
            let exchange = Exchange::new(&shard, (peer, token), method, io, heard);
            let guarded = AssertUnwindSafe(exchange.run()).catch_unwind();
            let run = async move {
                if guarded.await.is_err() {
                    shard.shared.metrics.rejected("INTERNAL");
                }
            };
            run.boxed_local()
        }
        None => async move { unary::serve(&shard, request, respond).await }.boxed_local(),
    }
}
