//! A store, an index and some streams: a whole server without sockets, and clients that check every response.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use prost::Message;
use steerway_engine::{
    Commit, Effects, Grant, Identifier, Interest, InterestChange, Key, Node, Protocol, Put, Received,
    RequestKind, Resource, Response, Service, Status, Store, Stream, StreamOptions, SubscriptionView, TypeId,
};

use crate::wire;

pub(crate) const CDS: TypeId = TypeId::Cluster;
pub(crate) const EDS: TypeId = TypeId::Endpoint;
pub(crate) const LDS: TypeId = TypeId::Listener;
pub(crate) const RDS: TypeId = TypeId::Route;

pub(crate) const IDENTIFIER: &str = "replica-1";
pub(crate) const AUDIENCE: &str = "grpc/core/shop";

/// A request of a client. In these tests the value of a resource is `NAME=CONTENT`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) node: Option<String>,
    pub(crate) names: Vec<String>,
    pub(crate) unsubscribed: Vec<String>,
    pub(crate) initial: Vec<(String, String)>,
    pub(crate) version: String,
    pub(crate) nonce: String,
    pub(crate) error: Option<(i32, String)>,
    pub(crate) features: Vec<String>,
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A state-of-the-world request for these names, or a delta request that subscribes to them.
pub(crate) fn request(type_id: TypeId, names: &[&str]) -> Request {
    Request {
        url: type_id.url().into(),
        node: Some("node-1".into()),
        names: strings(names),
        ..Request::default()
    }
}

impl Request {
    pub(crate) fn unsubscribe(mut self, names: &[&str]) -> Request {
        self.unsubscribed = strings(names);
        self
    }

    pub(crate) fn ack(mut self, reply: &Reply) -> Request {
        self.nonce.clone_from(&reply.nonce);
        self.version.clone_from(&reply.version);
        self
    }

    pub(crate) fn nack(mut self, reply: &Reply, code: i32, message: &str) -> Request {
        self.nonce.clone_from(&reply.nonce);
        self.error = Some((code, message.into()));
        self
    }

    pub(crate) fn nonce(mut self, nonce: &str) -> Request {
        self.nonce = nonce.into();
        self
    }

    pub(crate) fn with_initial(mut self, held: &[(&str, &str)]) -> Request {
        self.initial = held.iter().map(|(name, version)| ((*name).into(), (*version).into())).collect();
        self
    }

    pub(crate) fn node(mut self, node: Option<&str>) -> Request {
        self.node = node.map(str::to_owned);
        self
    }

    pub(crate) fn url(mut self, url: &str) -> Request {
        self.url = url.into();
        self
    }

    /// Client features, without the prefix `xds.config.`.
    pub(crate) fn with_features(mut self, features: &[&str]) -> Request {
        self.features = features.iter().map(|feature| format!("xds.config.{feature}")).collect();
        self
    }

    fn encode(self, protocol: Protocol) -> Vec<u8> {
        let node = self.node.map(|id| wire::Node { id, client_features: self.features });
        let error_detail = self.error.map(|(code, message)| wire::Status { code, message });
        match protocol {
            Protocol::Sotw => wire::DiscoveryRequest {
                version_info: self.version,
                node,
                resource_names: self.names,
                type_url: self.url,
                response_nonce: self.nonce,
                error_detail,
            }
            .encode_to_vec(),
            Protocol::Delta => wire::DeltaDiscoveryRequest {
                node,
                type_url: self.url,
                resource_names_subscribe: self.names,
                resource_names_unsubscribe: self.unsubscribed,
                initial_resource_versions: self.initial.into_iter().collect(),
                response_nonce: self.nonce,
                error_detail,
            }
            .encode_to_vec(),
        }
    }
}

/// A response as the client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) type_id: TypeId,
    pub(crate) version: String,
    pub(crate) nonce: String,
    pub(crate) resources: BTreeMap<String, String>,
    /// Delta only.
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) removed: Vec<String>,
    /// Times to live.
    pub(crate) ttls: BTreeMap<String, Duration>,
    /// Versions by name of entries with a time to live and without a resource.
    pub(crate) heartbeats: BTreeMap<String, String>,
    pub(crate) errors: BTreeMap<String, String>,
}

impl Reply {
    /// `a=1 b=2 -c ~d`: resources, removed names, heartbeats.
    pub(crate) fn text(&self) -> String {
        let resources = self.resources.iter().map(|(name, content)| format!("{name}={content}"));
        let removed = self.removed.iter().map(|name| format!("-{name}"));
        let heartbeats = self.heartbeats.keys().map(|name| format!("~{name}"));
        resources.chain(removed).chain(heartbeats).collect::<Vec<_>>().join(" ")
    }

    fn add_wrapped(&mut self, resource: wire::Resource) {
        assert!(!self.removed.contains(&resource.name), "no name in both lists");
        if let Some(ttl) = resource.ttl {
            let ttl = Duration::new(ttl.seconds as u64, ttl.nanos as u32);
            self.ttls.insert(resource.name.clone(), ttl);
        }
        match resource.resource {
            Some(any) => {
                self.add(any);
                assert!(self.resources.contains_key(&resource.name));
                self.versions.insert(resource.name, resource.version);
            }
            None => assert!(self.heartbeats.insert(resource.name, resource.version).is_none()),
        }
    }

    fn add_errors(&mut self, errors: Vec<wire::ResourceError>) {
        for error in errors {
            let (name, detail) = (error.resource_name.unwrap().name, error.error_detail.unwrap());
            assert_eq!(detail.code, 5, "NOT_FOUND");
            assert!(!self.resources.contains_key(&name), "no name among resources and errors");
            assert!(self.errors.insert(name, detail.message).is_none());
        }
    }

    fn add(&mut self, any: wire::Any) {
        if any.type_url == "type.googleapis.com/envoy.service.discovery.v3.Resource" {
            return self.add_wrapped(wire::Resource::decode(&*any.value).unwrap());
        }
        assert_eq!(any.type_url, self.type_id.url(), "type_url of every resource in it");
        let value = String::from_utf8(any.value).unwrap();
        let (name, content) = value.rsplit_once('=').unwrap();
        let old = self.resources.insert(name.into(), content.into());
        assert!(old.is_none(), "names unique: {name}");
    }

    fn decode(protocol: Protocol, mut response: Response) -> Reply {
        let (total, resources, removed) = (response.total_len(), response.resources(), response.removed());
        let type_id = response.type_id();
        let framed = response.copy_to_bytes(response.remaining());
        assert_eq!(framed.len(), total);
        let message = &framed[5..];
        let mut reply = Reply {
            type_id,
            version: String::new(),
            nonce: String::new(),
            resources: BTreeMap::new(),
            versions: BTreeMap::new(),
            removed: Vec::new(),
            ttls: BTreeMap::new(),
            heartbeats: BTreeMap::new(),
            errors: BTreeMap::new(),
        };
        let (type_url, control_plane) = match protocol {
            Protocol::Sotw => {
                let message = wire::DiscoveryResponse::decode(message).unwrap();
                (reply.version, reply.nonce) = (message.version_info, message.nonce);
                message.resources.into_iter().for_each(|any| reply.add(any));
                reply.add_errors(message.resource_errors);
                (message.type_url, message.control_plane)
            }
            Protocol::Delta => {
                let message = wire::DeltaDiscoveryResponse::decode(message).unwrap();
                (reply.version, reply.nonce) = (message.system_version_info, message.nonce);
                reply.removed = message.removed_resources;
                message.resources.into_iter().for_each(|resource| reply.add_wrapped(resource));
                reply.add_errors(message.resource_errors);
                (message.type_url, message.control_plane)
            }
        };
        assert_eq!(type_url, type_id.url());
        assert!(!reply.version.is_empty(), "non-empty version");
        assert_eq!(control_plane.unwrap().identifier, IDENTIFIER);
        assert_eq!(
            (reply.resources.len() + reply.heartbeats.len(), reply.removed.len()),
            (resources, removed)
        );
        reply
    }
}

/// One change of the store, for every audience.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Put(TypeId, String, String, Vec<(TypeId, String)>),
    Absent(TypeId, String),
    Forget(TypeId, String),
    Complete(TypeId),
}

pub(crate) fn put(type_id: TypeId, name: &str, content: &str) -> Op {
    Op::Put(type_id, name.into(), content.into(), Vec::new())
}

/// A resource that names others of a type.
pub(crate) fn naming(type_id: TypeId, name: &str, content: &str, of: TypeId, named: &[&str]) -> Op {
    let refs = named.iter().map(|name| (of, (*name).into())).collect();
    Op::Put(type_id, name.into(), content.into(), refs)
}

/// A cluster that names its endpoints.
pub(crate) fn cluster(name: &str, content: &str, endpoints: &str) -> Op {
    Op::Put(CDS, name.into(), content.into(), vec![(EDS, endpoints.into())])
}

pub(crate) fn absent(type_id: TypeId, name: &str) -> Op {
    Op::Absent(type_id, name.into())
}

pub(crate) fn forget(type_id: TypeId, name: &str) -> Op {
    Op::Forget(type_id, name.into())
}

pub(crate) fn complete(type_id: TypeId) -> Op {
    Op::Complete(type_id)
}

pub(crate) fn key(type_id: TypeId, name: &str, audience: &str) -> Key {
    Key { type_id, name: name.into(), audience: audience.into() }
}

pub(crate) fn resource(type_id: TypeId, name: &str, content: &str) -> Arc<Resource> {
    Arc::new(Resource::new(type_id, name, format!("{name}={content}").as_bytes(), Vec::new()))
}

pub(crate) const MAKE_BEFORE_BREAK_TIMEOUT: Duration = Duration::from_secs(5);

fn options() -> Arc<StreamOptions> {
    Arc::new(StreamOptions {
        identifier: Identifier::new(IDENTIFIER),
        make_before_break_timeout: MAKE_BEFORE_BREAK_TIMEOUT,
        names_per_stream: 1000,
        name_bytes: 1000,
        node_metadata: Arc::default(),
    })
}

/// One replica with its streams.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) now: Duration,
    streams: Vec<Stream>,
    index: Interest<usize>,
    nonces: HashSet<(usize, String)>,
    /// Nodes of opened streams, in order.
    pub(crate) opened: Vec<Node>,
    /// The id of the change of the next commits.
    pub(crate) change: u64,
    /// What became of changes, on all streams: `7:Pending 7:Acked`.
    deliveries: Vec<String>,
    /// The last message.
    pub(crate) received: Option<Received>,
}

impl World {
    /// A replica that serves `ops`.
    pub(crate) fn serving(ops: impl IntoIterator<Item = Op>) -> World {
        let mut world = World::default();
        world.commit(ops);
        world
    }

    pub(crate) fn open(&mut self, protocol: Protocol) -> usize {
        self.open_service(protocol, Service::Ads)
    }

    pub(crate) fn open_service(&mut self, protocol: Protocol, service: Service) -> usize {
        self.streams.push(Stream::new(protocol, service, &options()));
        self.streams.len() - 1
    }

    /// Send a request and return the replies; the stream is classified when it opens.
    pub(crate) fn send(&mut self, stream: usize, request: Request) -> Vec<Reply> {
        self.try_send(stream, request).unwrap()
    }

    /// Send a request and return the one reply.
    pub(crate) fn answer(&mut self, stream: usize, request: Request) -> Reply {
        let mut replies = self.send(stream, request.clone());
        assert_eq!(replies.len(), 1, "one answer to {request:?}: {replies:?}");
        replies.remove(0)
    }

    pub(crate) fn try_send(&mut self, stream: usize, request: Request) -> Result<Vec<Reply>, Status> {
        self.feed(stream, request)?;
        if self.streams[stream].audience().is_none() {
            self.classify(stream, AUDIENCE);
        }
        Ok(self.pump(stream))
    }

    /// Pass a request to the stream without classifying or responding.
    pub(crate) fn feed(&mut self, stream: usize, request: Request) -> Result<(), Status> {
        let message = request.encode(self.streams[stream].protocol());
        self.feed_bytes(stream, &message)
    }

    pub(crate) fn feed_bytes(&mut self, stream: usize, message: &[u8]) -> Result<(), Status> {
        let mut effects = Effects::default();
        self.streams[stream].on_message(message, self.now, &mut effects)?;
        self.opened.extend(effects.opened.take());
        self.received = effects.received.take();
        self.note_deliveries(stream);
        self.follow(stream, effects);
        Ok(())
    }

    pub(crate) fn classify(&mut self, stream: usize, audience: &str) {
        self.grant(stream, audience, Grant::EVERYTHING);
    }

    pub(crate) fn grant(&mut self, stream: usize, audience: &str, grant: Grant) {
        let mut effects = Effects::default();
        self.streams[stream].classify(audience.into(), grant, &mut effects);
        self.follow(stream, effects);
    }

    /// Denied lookups of the stream since the last call.
    pub(crate) fn take_denied(&mut self, stream: usize) -> u64 {
        self.streams[stream].take_denied()
    }

    fn note_deliveries(&mut self, stream: usize) {
        let updates = self.streams[stream].take_deliveries();
        self.deliveries.extend(updates.map(|update| format!("{}:{:?}", update.change, update.to)));
    }

    /// What became of changes since the last call.
    pub(crate) fn take_deliveries(&mut self) -> String {
        std::mem::take(&mut self.deliveries).join(" ")
    }

    /// The stream ends; the index forgets it.
    pub(crate) fn close(&mut self, stream: usize) {
        self.streams[stream].end_deliveries();
        self.note_deliveries(stream);
        let ended = Stream::new(Protocol::Sotw, Service::Ads, &options());
        let mut ended = std::mem::replace(&mut self.streams[stream], ended);
        let Some(audience) = ended.audience().cloned() else { return };
        let mut count = ended.interests().count();
        while count > 0 {
            let part = ended.take_interests(3);
            assert_eq!(part.len(), count.min(3), "in parts");
            count -= part.len();
            for (type_id, name) in part {
                self.index.unsubscribe(stream, &audience, type_id, &name);
            }
        }
        assert!(ended.take_interests(1).is_empty());
    }

    /// Number of names with interest.
    pub(crate) fn interests(&self) -> usize {
        self.index.len()
    }

    /// Update the index from the effects alone, and check it against the interests of the stream.
    fn follow(&mut self, stream: usize, effects: Effects) {
        let Some(audience) = self.streams[stream].audience() else {
            assert!(effects.interest.is_empty(), "nothing for the index before classification");
            return;
        };
        for change in effects.interest {
            match change {
                InterestChange::Subscribe(type_id, name) => {
                    self.index.subscribe(stream, audience, type_id, &name);
                }
                InterestChange::Unsubscribe(type_id, name) => {
                    self.index.unsubscribe(stream, audience, type_id, &name);
                }
            }
        }
        for (type_id, name) in self.streams[stream].interests() {
            assert!(self.index.subscribers(type_id, name).any(|subscriber| subscriber == stream), "{name}");
        }
    }

    /// Advance the time, and stop at a deadline that makes a response due.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = self.streams.iter().filter_map(Stream::next_deadline).min().filter(|due| *due <= end);
            self.now = due.unwrap_or(end).max(self.now);
            let now = self.now;
            for stream in &mut self.streams {
                stream.on_deadline(now);
                assert!(stream.next_deadline().is_none_or(|due| due > now), "a deadline is reported once");
            }
            if due.is_none_or(|_| self.streams.iter().any(Stream::may_respond)) {
                return;
            }
        }
    }

    /// All responses that are due on a stream.
    pub(crate) fn pump(&mut self, stream: usize) -> Vec<Reply> {
        let mut replies = Vec::new();
        let protocol = self.streams[stream].protocol();
        loop {
            let expected = self.streams[stream].may_respond();
            let Some(response) = self.streams[stream].next_response(&self.store, self.now) else {
                return replies;
            };
            assert!(expected, "may_respond errs in one direction only");
            self.note_deliveries(stream);
            let reply = Reply::decode(protocol, response);
            assert!(
                self.nonces.insert((stream, reply.nonce.clone())),
                "a nonce never used before on the stream"
            );
            replies.push(reply);
        }
    }

    /// One atomic commit, reported to the streams in the index. Returns the number of changed entries.
    pub(crate) fn commit(&mut self, ops: impl IntoIterator<Item = Op>) -> usize {
        let mut commit = Commit::default();
        for op in ops {
            match op {
                Op::Put(type_id, name, content, refs) => {
                    let refs = refs.into_iter().map(|(type_id, name)| (type_id, name.into())).collect();
                    let value = format!("{name}={content}");
                    let resource = Resource::new(type_id, &name, value.as_bytes(), refs);
                    let resource = resource.with_change(self.change);
                    commit.put.push(Put { key: key(type_id, &name, ""), resource: resource.into() });
                }
                Op::Absent(type_id, name) => {
                    commit.absent.push((key(type_id, &name, ""), "no such thing".into()))
                }
                Op::Forget(type_id, name) => commit.forget.push(key(type_id, &name, "")),
                Op::Complete(type_id) => commit.complete.push((type_id, "".into())),
            }
        }
        self.apply(commit)
    }

    pub(crate) fn apply(&mut self, commit: Commit) -> usize {
        let outcome = self.store.commit(commit);
        for (type_id, name) in &outcome.changed {
            for stream in self.index.subscribers(*type_id, name) {
                self.streams[stream].mark_changed(*type_id, name, self.change);
            }
        }
        outcome.count
    }

    /// Commit a change with this id, and return the replies on one stream.
    pub(crate) fn deliver(
        &mut self,
        stream: usize,
        change: u64,
        ops: impl IntoIterator<Item = Op>,
    ) -> Vec<Reply> {
        self.change = change;
        let replies = self.change(stream, ops);
        self.change = 0;
        replies
    }

    /// Commit, and return the replies on one stream.
    pub(crate) fn change(&mut self, stream: usize, ops: impl IntoIterator<Item = Op>) -> Vec<Reply> {
        self.commit(ops);
        self.pump(stream)
    }

    pub(crate) fn kind(&self) -> &RequestKind {
        &self.received.as_ref().unwrap().kind
    }

    pub(crate) fn view(&self, stream: usize, type_id: TypeId) -> SubscriptionView {
        let views = self.streams[stream].snapshot(&self.store, self.now, true);
        views.into_iter().find(|view| view.type_id == type_id).unwrap()
    }

    /// Number of absent names of a type on a stream.
    pub(crate) fn absent(&self, stream: usize, type_id: TypeId) -> usize {
        let mut count = 0;
        self.streams[stream]
            .absences(&self.store, |absence| count += usize::from(absence.type_id == type_id));
        count
    }

    pub(crate) fn stream(&self, stream: usize) -> &Stream {
        &self.streams[stream]
    }
}

/// The texts of replies, in order.
pub(crate) fn texts(replies: &[Reply]) -> Vec<String> {
    replies.iter().map(Reply::text).collect()
}

pub(crate) const NOTHING: [&str; 0] = [];
