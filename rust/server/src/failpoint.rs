//! Failpoints: names at which tests make a stream panic, and a test of the consequences.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use steerway_engine::{Commit, Grant, Key, Put, Resource, TypeId};
use tokio::net::TcpStream;

use crate::{Budgets, Event, Options, PanicReport, Server, Stats};

const AT_REQUEST: &str = "panic at a request";
const AT_CHANGE: &str = "panic at a change";

/// Called when a stream receives a request.
pub(crate) fn request(message: &[u8]) {
    assert!(!message.ends_with(AT_REQUEST.as_bytes()), "the test asked for a panic");
}

/// Called when a stream is notified of a change.
pub(crate) fn change(name: &str) {
    assert!(name != AT_CHANGE, "the test asked for a panic at {name:?}");
}

pub(crate) fn options() -> Options {
    Options {
        listen: vec!["127.0.0.1:0".into()],
        plaintext_listen: Vec::new(),
        identifier: "test".into(),
        threads: 1,
        max_concurrent_streams: 100,
        max_connections: 100,
        max_connections_per_address: 0,
        max_connections_per_identity: 0,
        max_connections_per_second: 100,
        max_streams: 100,
        max_node_bytes: 4096,
        node_metadata: Vec::new(),
        max_request_bytes: 1 << 20,
        max_names_per_stream: 100,
        max_name_bytes: 100,
        budgets: Budgets::default(),
        make_before_break_timeout: Duration::ZERO,
        max_requests_per_second: 100,
        request_timeout: Duration::from_secs(60),
        max_connection_age: Duration::ZERO,
        max_connection_age_grace: Duration::ZERO,
        keepalive_interval: Duration::from_secs(60),
        keepalive_timeout: Duration::from_secs(60),
        unsubscribe_grace: Duration::ZERO,
        tls: false,
        descriptors: Vec::new(),
    }
}

/// A protobuf field of bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, value.len() as u8], value].concat()
}

/// A framed DiscoveryRequest for a cluster; the name is its last field.
fn subscribe(name: &str) -> Bytes {
    let node = field(1, b"test");
    let url = TypeId::Cluster.url().as_bytes();
    let message = [field(2, &node), field(4, url), field(3, name.as_bytes())].concat();
    let mut framed = vec![0, 0, 0, 0, message.len() as u8];
    framed.extend(message);
    framed.into()
}

fn put(name: &str, content: &str) -> Commit {
    let key = Key { type_id: TypeId::Cluster, name: name.into(), audience: "".into() };
    let resource = Resource::new(key.type_id, name, content.as_bytes(), Vec::new());
    Commit { put: vec![Put { key, resource: Arc::new(resource) }], ..Commit::default() }
}

/// One stream of a client.
struct Call {
    response: ResponseFuture,
    requests: SendStream<Bytes>,
}

impl Call {
    async fn open(client: &mut SendRequest<Bytes>, address: &str, name: &str) -> Call {
        let path = "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
        let request = Request::post(format!("http://{address}/{path}")).body(()).unwrap();
        std::future::poll_fn(|context| client.poll_ready(context)).await.unwrap();
        let (response, mut requests) = client.send_request(request, false).unwrap();
        requests.send_data(subscribe(name), false).unwrap();
        Call { response, requests }
    }

    /// The status with which it ends.
    async fn status(self) -> HeaderMap {
        let (head, mut body) = self.response.await.unwrap().into_parts();
        while let Some(piece) = body.data().await {
            let length = piece.unwrap().len();
            body.flow_control().release_capacity(length).unwrap();
        }
        drop(self.requests);
        body.trailers().await.unwrap().unwrap_or(head.headers)
    }
}

/// Read until this content arrives.
async fn read(body: &mut RecvStream, content: &str) {
    let mut read = BytesMut::new();
    while !read.windows(content.len()).any(|window| window == content.as_bytes()) {
        let piece = body.data().await.unwrap().unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        read.extend_from_slice(&piece);
    }
}

/// Classify streams and change their resources until one of them panics.
async fn panicked(server: &Server) -> PanicReport {
    for number in 0.. {
        server.publish(put(AT_CHANGE, &number.to_string()));
        for event in server.poll(100) {
            match event {
                Event::Opened { stream, .. } => server.classify(vec![(stream, "".into(), Grant::EVERYTHING)]),
                Event::Panicked { fault, .. } => return fault,
                _ => {}
            }
        }
        tokio::task::yield_now().await;
    }
    unreachable!()
}

fn gone(server: &Server) -> bool {
    let usage = server.usage();
    usage.streams == 0 && usage.interest == 0 && usage.tasks == 0
}

#[test]
fn a_panic_ends_its_stream_with_internal_and_nothing_else() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for bad in [AT_REQUEST, AT_CHANGE] {
            let server = Server::new(options()).unwrap();
            let address = server.start().unwrap().remove(0);
            server.publish(put("good", "first"));
            server.publish(put(AT_CHANGE, "first"));
            server.set_serving(true);
            let socket = TcpStream::connect(address.parse::<SocketAddr>().unwrap()).await.unwrap();
            let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
            let driver = tokio::spawn(connection);

            let good = Call::open(&mut client, &address, "good").await;
            let ended = Call::open(&mut client, &address, bad).await;
            let fault = panicked(&server).await;
            assert!(fault.message.starts_with("the test asked for a panic"), "{fault:?}");
            assert!(fault.location.contains("failpoint.rs:"), "{fault:?}");
            assert_eq!(ended.status().await["grpc-status"], "13");

            let mut body = good.response.await.unwrap().into_body();
            read(&mut body, "first").await;
            drop((body, good.requests, client));
            driver.await.unwrap().unwrap();
            while !gone(&server) {
                tokio::task::yield_now().await;
            }
            let Stats { panics, rejected, .. } = server.stats();
            assert_eq!((panics, rejected["INTERNAL"]), (1, 1), "{bad}");
        }
    });
}
