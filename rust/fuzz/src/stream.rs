//! Any events on any streams: each response is valid for its client, and at the end each client holds the resources of
//! its subscription.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steerway_engine::{Code, Commit, Grant, Lookup, Put, Resource, Status, TypeId};
use steerway_engine::{canonical_name, is_collection};

use crate::event::{Change, Claim, Event, Name, Nonce, Opening, RequestInput, ttl};
use crate::model::{Contents, Half};
use crate::world::{AUDIENCE, MAKE_BEFORE_BREAK_TIMEOUT, Reply, Request, World, key};

/// Limits of one run, for speed.
const MAX_STREAMS: usize = 4;
const MAX_EVENTS: usize = 200;
const MAX_REFS: usize = 4;

/// The limits of [`crate::world`], with a margin for the overhead of a request.
const LONG: usize = 900;
const MANY: usize = 900;

/// Maximum of rounds of answers.
const ROUNDS: usize = 1000;

struct Client {
    opening: Opening,
    closed: bool,
    requested: bool,
    classified: bool,
    /// All nonces of the stream, in order.
    nonces: Vec<String>,
    halves: [Half; TypeId::COUNT],
}

struct Run {
    world: World,
    clients: Vec<Client>,
    /// All names that any client requested.
    names: BTreeSet<String>,
}

/// Apply all events, answer all responses, and check the result.
pub fn run(openings: Vec<Opening>, events: Vec<Event>) {
    let mut run = Run { world: World::default(), clients: Vec::new(), names: BTreeSet::new() };
    for opening in openings.into_iter().take(MAX_STREAMS) {
        run.world.open_service(opening.protocol(), opening.service());
        let protocol = opening.protocol();
        run.clients.push(Client {
            opening,
            closed: false,
            requested: false,
            classified: false,
            nonces: Vec::new(),
            halves: TypeId::ALL.map(|type_id| Half::new(type_id, protocol)),
        });
    }
    if run.clients.is_empty() {
        return;
    }
    for event in events.into_iter().take(MAX_EVENTS) {
        run.apply(event);
    }
    run.finish();
    run.check();
    run.check_heartbeats();
    (0..run.clients.len()).for_each(|stream| run.close(stream));
    assert_eq!(run.world.interests(), 0, "the index forgets streams that ended");
}

/// The type that is sent again after a resource that names it (delta).
fn warming_dependency(type_id: TypeId) -> Option<TypeId> {
    match type_id {
        TypeId::Cluster => Some(TypeId::Endpoint),
        TypeId::Listener => Some(TypeId::Route),
        _ => None,
    }
}

impl Client {
    fn record_dependencies(&mut self, reply: &Reply, world: &World) {
        let Some(following) = warming_dependency(reply.type_id).filter(|_| self.opening.delta) else {
            return;
        };
        for name in reply.resources.keys() {
            let Lookup::Present(resource) = world.store.lookup(reply.type_id, name, AUDIENCE) else {
                continue;
            };
            let refs = resource.refs().iter().filter(|(type_id, _)| *type_id == following);
            let named: Vec<String> = refs.map(|(_, name)| name.to_string()).collect();
            self.halves[following.index()].require_again(&named);
            self.halves[reply.type_id.index()].naming.insert(name.clone(), named);
        }
    }

    /// The first request for a type, after resources that name it.
    fn record_earlier_dependencies(&mut self, type_id: TypeId) {
        let naming = TypeId::ALL.into_iter().find(|naming| warming_dependency(*naming) == Some(type_id));
        let Some(naming) = naming else { return };
        let named: Vec<String> = self.halves[naming.index()].naming.values().flatten().cloned().collect();
        self.halves[type_id.index()].require_again(&named);
    }
}

impl Run {
    fn stream(&self, number: u8) -> usize {
        usize::from(number) % self.clients.len()
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Request(stream, input) => self.request(self.stream(stream), &input),
            Event::Ack(stream, type_id) => self.ack(self.stream(stream), type_id.id()),
            Event::Commit(changes) => drop(self.world.apply(commit(changes))),
            Event::Classify(stream) => self.classify(self.stream(stream)),
            Event::Wait(quarters) => self.world.wait(Duration::from_millis(250) * u32::from(quarters)),
            Event::Close(stream) => self.close(self.stream(stream)),
        }
        self.pump();
    }

    fn close(&mut self, stream: usize) {
        self.clients[stream].closed = true;
        self.world.close(stream);
    }

    fn classify(&mut self, stream: usize) {
        let client = &mut self.clients[stream];
        if client.requested && !client.closed && !client.classified {
            client.classified = true;
            let grant = Grant::of(client.opening.grant().iter().copied());
            self.world.grant(stream, AUDIENCE, grant);
        }
    }

    fn request(&mut self, stream: usize, input: &RequestInput) {
        let client = &self.clients[stream];
        if client.closed {
            return;
        }
        let type_id = input.type_id.id();
        let half = &client.halves[type_id.index()];
        let nonce = match &input.nonce {
            Nonce::Last => half.last_nonce.clone().unwrap_or_default(),
            Nonce::Empty => String::new(),
            Nonce::Old(age) => client.nonces.iter().rev().nth((*age).into()).cloned().unwrap_or_default(),
            Nonce::Foreign(text) => text.clone(),
        };
        let mut request = self.prepare(stream, type_id);
        request.names = texts(&input.names);
        request.nonce = nonce;
        request.error.clone_from(&input.error);
        let mut claims = BTreeMap::new();
        if client.opening.delta {
            request.unsubscribed = texts(&input.unsubscribed);
            for (name, claim) in &input.initial {
                let name = canonical_name(name.text()).into_owned();
                if claims.contains_key(&name) {
                    continue;
                }
                let (version, content) = match claim {
                    Claim::Content(content, ttl) => {
                        let content = content.to_string();
                        let value = format!("{name}={content}");
                        let resource = Resource::new(type_id, &name, value.as_bytes(), Vec::new());
                        (with_lifetime(resource, &name, *ttl).version_text(), Some(content))
                    }
                    Claim::Foreign(version) => (version.clone(), None),
                };
                request.initial.push((name.clone(), version.clone()));
                claims.insert(name, (version, content));
            }
        }
        self.send(stream, type_id, request, &claims);
    }

    /// A request with an unchanged subscription.
    fn prepare(&self, stream: usize, type_id: TypeId) -> Request {
        let client = &self.clients[stream];
        let half = &client.halves[type_id.index()];
        let request = Request {
            url: type_id.url().into(),
            node: (!client.requested).then(|| "node-1".into()),
            names: if client.opening.delta { Vec::new() } else { half.list() },
            nonce: half.last_nonce.clone().unwrap_or_default(),
            ..Request::default()
        };
        request.with_features(&client.opening.features())
    }

    fn ack(&mut self, stream: usize, type_id: TypeId) {
        let client = &self.clients[stream];
        let oldest = client.halves[type_id.index()].open.front().filter(|_| !client.closed);
        if let Some(nonce) = oldest.cloned() {
            let request = Request { nonce, ..self.prepare(stream, type_id) };
            self.send(stream, type_id, request, &BTreeMap::new());
        }
    }

    fn send(&mut self, stream: usize, type_id: TypeId, request: Request, claims: &Contents) {
        let heard = self.world.feed(stream, request.clone());
        let client = &mut self.clients[stream];
        let foreign = client.opening.service.is_some_and(|own| own.id() != type_id);
        if let Err(status) = &heard {
            assert!(if foreign {
                status.code == Code::InvalidArgument
            } else {
                exceeds_limits(&request, client, status)
            });
            return self.close(stream);
        }
        assert!(!foreign, "a type that this service does not serve");
        client.requested = true;
        self.names.extend(request.names.iter().map(|name| canonical_name(name).into_owned()));
        let visible = match client.classified {
            true => visible(&self.world, &client.opening, type_id).into_keys().collect(),
            false => BTreeSet::new(),
        };
        let first = !client.halves[type_id.index()].started;
        client.halves[type_id.index()].request(&request, &visible, claims);
        if first {
            client.record_earlier_dependencies(type_id);
        }
        if !client.opening.waits {
            self.classify(stream);
        }
        let view = self.world.view(stream, type_id);
        let half = &self.clients[stream].halves[type_id.index()];
        let names: BTreeSet<String> = view.names.iter().map(|name| name.to_string()).collect();
        assert_eq!((view.wildcard, names), (half.wildcard, half.named()));
    }

    /// Deliver all responses that are due. Returns their number.
    fn pump(&mut self) -> usize {
        let mut count = 0;
        for (stream, client) in self.clients.iter_mut().enumerate().filter(|(_, client)| !client.closed) {
            for reply in self.world.pump(stream) {
                assert!(reply.ttls.is_empty() || client.opening.supports_ttl(), "no TTL support");
                assert!(reply.errors.is_empty() || client.opening.resource_errors, "no support of errors");
                client.halves[reply.type_id.index()].apply(&reply, self.world.now);
                client.record_dependencies(&reply, &self.world);
                client.nonces.push(reply.nonce);
                count += 1;
            }
        }
        count
    }

    /// Classify every stream, publish every name, ACK every response, and let every wait end.
    fn finish(&mut self) {
        (0..self.clients.len()).for_each(|stream| self.classify(stream));
        let mut commit = Commit::default();
        for type_id in TypeId::ALL {
            commit.complete.push((type_id, "".into()));
            for name in &self.names {
                if matches!(self.world.store.lookup(type_id, name, AUDIENCE), Lookup::Unanswered) {
                    commit.absent.push((key(type_id, name, ""), "none".into()));
                }
            }
        }
        self.world.apply(commit);
        self.pump();
        self.answer_all();
        // All waits have ended after that; heartbeats go on.
        let end = self.world.now + 2 * MAKE_BEFORE_BREAK_TIMEOUT;
        self.pass(end);
    }

    fn answer_all(&mut self) {
        for round in 0.. {
            assert!(round < ROUNDS, "the exchange ends");
            let mut answered = false;
            for stream in 0..self.clients.len() {
                for type_id in TypeId::ALL {
                    let client = &self.clients[stream];
                    if !client.closed && !client.halves[type_id.index()].open.is_empty() {
                        self.ack(stream, type_id);
                        self.pump();
                        answered = true;
                    }
                }
            }
            if !answered {
                return;
            }
        }
    }

    /// Advance the time; each response is answered at once.
    fn pass(&mut self, end: Duration) {
        while self.world.now < end {
            self.world.wait(end - self.world.now);
            self.pump();
            self.answer_all();
        }
    }

    fn check(&mut self) {
        assert_eq!(self.pump(), 0);
        for stream in 0..self.clients.len() {
            let client = &self.clients[stream];
            if client.closed || !client.requested {
                continue;
            }
            for type_id in TypeId::ALL {
                let half = &self.clients[stream].halves[type_id.index()];
                if !half.started {
                    continue;
                }
                let expected = visible(&self.world, &self.clients[stream].opening, type_id);
                let expected = expected.into_iter().filter(|(name, _)| half.covers(name)).collect();
                half.check(&expected);
                // A repeated request gets no response. (With state of the world it may request warming endpoints.)
                if type_id != TypeId::Endpoint {
                    let request = self.prepare(stream, type_id);
                    self.send(stream, type_id, request, &BTreeMap::new());
                    assert_eq!(self.pump(), 0, "nothing changed");
                }
            }
        }
    }

    /// Existing resources with a time to live do not expire while nothing changes. Removed ones do: with state of the
    /// world that is how a client drops endpoints and routes.
    fn check_heartbeats(&mut self) {
        let end = self.world.now + 2 * ttl(true);
        while self.world.now < end {
            self.world.wait(end - self.world.now);
            for client in self.clients.iter().filter(|client| !client.closed) {
                for half in &client.halves {
                    let expected = visible(&self.world, &client.opening, half.type_id);
                    half.check_expiring(&expected, self.world.now);
                }
            }
            self.pump();
            self.answer_all();
        }
    }
}

fn texts(names: &[Name]) -> Vec<String> {
    names.iter().map(|name| name.text().to_owned()).collect()
}

fn commit(changes: Vec<Change>) -> Commit {
    let mut commit = Commit::default();
    for change in changes {
        match change {
            Change::Put { type_id, name, audience, content, refs, scope, ttl } => {
                let (type_id, name) = (type_id.id(), canonical_name(name.text()).into_owned());
                if name == "*" || is_collection(&name) {
                    continue;
                }
                let refs = refs.iter().take(MAX_REFS);
                let refs = refs.map(|(of, name)| (of.id(), canonical_name(name.text()).into())).collect();
                let value = format!("{name}={content}");
                let resource = Resource::new(type_id, &name, value.as_bytes(), refs).with_scope(scope.text());
                let resource = with_lifetime(resource, &name, ttl);
                let key = key(type_id, &name, audience.text());
                commit.put.push(Put { key, resource: resource.into() });
            }
            Change::Absent(type_id, name, audience) => {
                let key = key(type_id.id(), &canonical_name(name.text()), audience.text());
                commit.absent.push((key, "none".into()));
            }
            Change::Forget(type_id, name, audience) => {
                commit.forget.push(key(type_id.id(), &canonical_name(name.text()), audience.text()));
            }
            Change::Complete(type_id, audience) => {
                commit.complete.push((type_id.id(), audience.text().into()));
            }
        }
    }
    commit
}

/// The resource with a long or a short time to live, or without one.
fn with_lifetime(resource: Resource, name: &str, long: Option<bool>) -> Resource {
    match long {
        Some(long) => resource.with_ttl(name, ttl(long)),
        None => resource,
    }
}

/// The resources of a type that a stream may see.
fn visible(world: &World, opening: &Opening, type_id: TypeId) -> Contents {
    let grant = Grant::of(opening.grant().iter().copied());
    let visible =
        world.store.visible(type_id, AUDIENCE).filter(|(_, resource)| grant.admits(resource.scope()));
    let content = visible.map(|(name, resource)| {
        let value = String::from_utf8(resource.value().to_vec()).unwrap();
        let content = value.rsplit_once('=').map(|(_, content)| content.to_owned());
        (name.to_string(), (resource.version_text(), content))
    });
    content.collect()
}

/// Whether a request was rejected correctly for its size.
fn exceeds_limits(request: &Request, client: &Client, status: &Status) -> bool {
    let sizes = request.names.iter().chain(&request.unsubscribed).map(String::len);
    let longest = sizes.chain(request.initial.iter().map(|(name, version)| name.len() + version.len())).max();
    let subscribed: usize = client.halves.iter().map(|half| half.named().len()).sum();
    let names = subscribed + request.names.len() + request.unsubscribed.len() + request.initial.len();
    status.code == Code::ResourceExhausted && (longest.is_some_and(|size| size > LONG) || names > MANY)
}
