//! From an accepted socket to an HTTP/2 connection: TLS where it is configured, then the HTTP/2 handshake.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, ready, select};
use h2::server::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use crate::http2::authority::AuthorityRewriter;
use crate::http2::connection::{self, ConnectionTask};
use crate::limits::connection_slot::{ConnectionSlot, SlotGrant};
use crate::limits::control_frames::{ControlFrameMeter, MeteredStream};
use crate::net::handshake_failure::HandshakeFailure;
use crate::net::listener::Socket;
use crate::net::peer::{Peer, Transport};
use crate::net::tls::{self, ClientProtocol};
use crate::runtime::connection_context::ConnectionContext;
use crate::runtime::options::Options;
use crate::runtime::shard::Shard;
use crate::xds::payload::Payload;
use crate::xds::streams::Streams;

/// Upper bound of the handshake; `request_timeout` when that is shorter.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests are small, and what a client may send ahead is what the server must buffer: the bytes, and the overhead of
/// h2 per frame. (The smallest request has some 70 bytes.)
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
const FRAME_OVERHEAD: usize = 256 << 10;
const MAX_HEADERS: u32 = 16 << 10;

/// Streams that the client reset and h2 keeps, before (CVE-2023-44487) and after they were accepted.
const MAX_RESET_STREAMS: usize = 20;

/// Streams that h2 resets for errors of the client before it closes the connection.
const MAX_FAULTY_STREAMS: usize = 100;

/// The client of a connection, and the slot of the connection.
type Client = (Peer, ConnectionSlot);

/// Serve a connection until the client, a drain or the eviction of its slot closes it.
pub(crate) async fn serve(streams: Rc<Streams>, socket: Socket, peer: Peer, (slot, evicted): SlotGrant) {
    let serving = pin!(async {
        // Boxed: the memory of the handshake is freed before the connection runs, possibly for days.
        if let Some(connection) = Box::pin(handshake(streams, socket, (peer, slot))).await {
            connection.await;
        }
    });
    match select(serving, evicted).await {
        Either::Left(_) | Either::Right((Ok(()), _)) => {}
        // The slot was admitted and can no longer be evicted.
        Either::Right((Err(_), serving)) => serving.await,
    }
}

fn handshake_timeout(options: &Options) -> Duration {
    HANDSHAKE_TIMEOUT.min(options.request_timeout)
}

async fn handshake(streams: Rc<Streams>, socket: Socket, client: Client) -> Option<ConnectionTask> {
    let deadline = Instant::now() + handshake_timeout(&streams.shard.options);
    // Adopting a socket fails only when the process has run out of a resource; the client reconnects.
    match socket {
        Socket::Tcp(socket) => {
            let socket = TcpStream::from_std(socket).ok()?;
            let _ = socket.set_nodelay(true);
            handshake_tcp(streams, socket, client, deadline).await
        }
        Socket::Unix(socket) => {
            let socket = AuthorityRewriter::new(UnixStream::from_std(socket).ok()?);
            serve_http2(streams, client, ready(Ok((socket, Arc::default()))), deadline).await
        }
    }
}

async fn handshake_tcp(
    streams: Rc<Streams>,
    socket: TcpStream,
    client: Client,
    deadline: Instant,
) -> Option<ConnectionTask> {
    let shared = Arc::clone(&streams.shard.shared);
    let protocol = timeout_at(deadline, tls::detect_protocol(&socket)).await;
    let tls = shared.tls.as_ref().filter(|_| client.0.transport == Transport::Tls);
    match (protocol, tls) {
        (Ok(ClientProtocol::None), _) => None,
        (Ok(ClientProtocol::Plaintext), None) => {
            serve_http2(streams, client, ready(Ok((socket, Arc::default()))), deadline).await
        }
        (Ok(ClientProtocol::Tls), Some(tls)) => {
            serve_http2(streams, client, tls.accept(socket), deadline).await
        }
        (Ok(misplaced), _) => {
            shared.handshake_failed(&client.0.address, misplaced.failure());
            let _ = timeout_at(deadline, misplaced.reject(socket)).await;
            None
        }
        (Err(_), _) => {
            shared.handshake_failed(
                &client.0.address,
                HandshakeFailure::timeout(handshake_timeout(&streams.shard.options)),
            );
            None
        }
    }
}

/// Do the HTTP/2 handshake on what `transport` yields: a byte stream, and the names of the client's certificate.
async fn serve_http2<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    streams: Rc<Streams>,
    (mut peer, slot): Client,
    transport: impl Future<Output = Result<(S, Arc<[String]>), HandshakeFailure>>,
    deadline: Instant,
) -> Option<ConnectionTask> {
    let Shard { shared, options, .. } = &*streams.shard;
    let handshake = async {
        let (io, certificate) = transport.await?;
        let meter = ControlFrameMeter::new(shared.now());
        let io = MeteredStream::new(io, Rc::clone(&meter));
        let http2 = builder(options).handshake::<_, Payload>(io).await;
        http2.map(|http2| (http2, certificate, meter)).map_err(|error| HandshakeFailure::http2(&error))
    };
    let outcome = timeout_at(deadline, handshake).await;
    match outcome.unwrap_or_else(|_| Err(HandshakeFailure::timeout(handshake_timeout(options)))) {
        Ok((http2, certificate, meter)) => {
            peer.certificate = certificate;
            let connection = ConnectionContext::new(shared, peer, meter, Some(slot));
            Some(connection::run(streams, http2, connection))
        }
        Err(failure) => {
            shared.handshake_failed(&peer.address, failure);
            None
        }
    }
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
