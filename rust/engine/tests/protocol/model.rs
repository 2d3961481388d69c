//! Any sequence of requests and commits: what a delta client holds = what a state-of-the-world client holds = the store
//! restricted to the subscription.
//!
//! The two clients behave as real ones do: they drop what they unsubscribe, their requests carry the last nonce they
//! have processed, and they answer each response in the end. The model is a few maps; it shares no code with the core.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use proptest::prelude::*;
use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::{Lookup, Resource, TypeId};

use crate::world::{AUDIENCE, CDS, EDS, Reply, Request, World, key, request, resource};

const TYPES: [TypeId; 2] = [CDS, EDS];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const AUDIENCES: [&str; 4] = ["", "grpc", AUDIENCE, "envoy"];

/// Maximum of rounds of answers.
const ROUNDS: usize = 100;

/// One event. Types, names and audiences are indices into the lists above.
#[derive(Clone, Debug)]
enum Step {
    Put(usize, usize, usize, u8),
    Absent(usize, usize, usize),
    Forget(usize, usize, usize),
    Complete(usize, usize),
    /// Both clients subscribe to exactly these names (a bit each; the fifth is the wildcard) of a type.
    Want(usize, u8),
    /// The delta client subscribes again to a name.
    Again(usize, usize),
    /// A client answers the oldest response, with an ACK or a NACK.
    Answer(bool, usize, bool),
    /// A client loses its stream and opens a new one.
    Reconnect(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let (types, names, audiences) = (0..TYPES.len(), 0..NAMES.len(), 0..AUDIENCES.len());
    let entry = (types.clone(), names.clone(), audiences.clone());
    prop_oneof![
        6 => (entry.clone(), 0u8..3).prop_map(|((t, n, a), content)| Step::Put(t, n, a, content)),
        2 => entry.clone().prop_map(|(t, n, a)| Step::Absent(t, n, a)),
        1 => entry.prop_map(|(t, n, a)| Step::Forget(t, n, a)),
        1 => (types.clone(), audiences).prop_map(|(t, a)| Step::Complete(t, a)),
        4 => (types.clone(), 0u8..32).prop_map(|(t, wanted)| Step::Want(t, wanted)),
        1 => (types.clone(), names).prop_map(|(t, n)| Step::Again(t, n)),
        8 => (any::<bool>(), types, any::<bool>()).prop_map(|(delta, t, ack)| Step::Answer(delta, t, ack)),
        1 => any::<bool>().prop_map(Step::Reconnect),
    ]
}

/// A response on its way.
#[derive(Debug)]
struct Sent {
    reply: Reply,
    /// Names requested when it was sent.
    asked: BTreeSet<String>,
    /// Some of that had no answer yet.
    demanded: bool,
}

/// State of one type on a client.
#[derive(Debug, Default)]
struct Half {
    wanted: BTreeSet<String>,
    /// Names that the client subscribed to (delta).
    expected: BTreeSet<String>,
    held: BTreeMap<String, String>,
    versions: BTreeMap<String, String>,
    /// Names requested since they were last sent: they may be sent unchanged.
    asked: BTreeSet<String>,
    /// Those of them that were requested with a stale nonce (state of the world), which the server ignored.
    unread: BTreeSet<String>,
    processed: Option<Reply>,
    /// Requested, and not answered so far: sent even while a response is open.
    demanded: BTreeSet<String>,
    /// Responses that the client has not processed, oldest first.
    unprocessed: VecDeque<Sent>,
    started: bool,
}

impl Half {
    fn wildcard(&self) -> bool {
        self.wanted.contains("*")
    }

    fn covers(&self, name: &str) -> bool {
        self.wildcard() || self.wanted.contains(name)
    }

    fn request(&mut self, names: BTreeSet<String>) {
        self.demanded.extend(names.iter().cloned());
        self.asked.extend(names);
    }

    /// The client drops what it is no longer subscribed to.
    fn want(&mut self, wanted: BTreeSet<String>) {
        self.request(wanted.difference(&self.wanted).cloned().collect());
        self.wanted = wanted;
        let gone: Vec<String> = self.held.keys().filter(|name| !self.covers(name)).cloned().collect();
        gone.iter().for_each(|name| drop(self.held.remove(name)));
    }

    fn take(&mut self, protocol: Protocol, full: bool, reply: Reply, asked: &BTreeSet<String>) {
        let covered: BTreeMap<String, String> =
            reply.resources.into_iter().filter(|(name, _)| self.covers(name)).collect();
        if protocol == Sotw && full {
            self.held = covered;
        } else {
            for (name, content) in covered {
                let same = self.held.get(&name) == Some(&content);
                assert!(!same || asked.contains(&name) || asked.contains("*"), "{name} did not change");
                self.held.insert(name, content);
            }
            for name in &reply.removed {
                self.held.remove(name);
            }
        }
        self.versions = reply.versions;
    }
}

struct Client {
    protocol: Protocol,
    stream: usize,
    halves: [Half; 2],
}

impl Client {
    fn new(world: &mut World, protocol: Protocol) -> Client {
        Client { protocol, stream: world.open(protocol), halves: Default::default() }
    }

    /// The request with the current subscription; it answers `reply` if there is one.
    fn request(&mut self, type_index: usize, answer: Option<(&Reply, bool)>) -> Request {
        let half = &mut self.halves[type_index];
        half.started = true;
        let wanted: Vec<&str> = half.wanted.iter().map(String::as_str).collect();
        let request = match self.protocol {
            Sotw => {
                let nonce = half.processed.as_ref().map_or("", |reply| &reply.nonce);
                request(TYPES[type_index], &wanted).nonce(nonce)
            }
            Delta => {
                let new: Vec<&str> = half.wanted.difference(&half.expected).map(String::as_str).collect();
                let gone: Vec<&str> = half.expected.difference(&half.wanted).map(String::as_str).collect();
                request(TYPES[type_index], &new).unsubscribe(&gone)
            }
        };
        let request = match answer {
            Some((reply, true)) => request.ack(reply),
            Some((reply, false)) => request.nack(reply, 3, "cannot"),
            None => request,
        };
        half.expected.clone_from(&half.wanted);
        request
    }

    fn send(&mut self, world: &mut World, request: Request) {
        let replies = world.send(self.stream, request);
        self.receive(replies);
    }

    /// A response is processed when it is answered; until then it is on its way.
    fn receive(&mut self, replies: Vec<Reply>) {
        for reply in replies {
            let half = &mut self.halves[type_index(reply.type_id)];
            for name in reply.removed.iter().chain(reply.versions.keys()) {
                assert!(half.covers(name) || half.asked.contains(name), "{name} is not wanted");
            }
            let asked = half.asked.clone();
            let demanded = !half.demanded.is_empty();
            assert!(demanded || half.unprocessed.iter().all(|sent| sent.demanded), "changes merge");
            let last = half.unprocessed.back().map(|sent| &sent.reply).or(half.processed.as_ref());
            let last = last.filter(|_| reply.type_id == CDS && self.protocol == Sotw);
            let news = last.is_none_or(|last| last.resources != reply.resources);
            assert!(news || !asked.is_empty(), "a set that is neither new nor asked for");
            for names in [&mut half.asked, &mut half.demanded] {
                match (self.protocol, reply.type_id) {
                    (Sotw, CDS) => names.clone_from(&half.unread),
                    // A missing name is sent later.
                    _ => names
                        .retain(|name| !reply.resources.contains_key(name) && !reply.removed.contains(name)),
                }
            }
            half.unprocessed.push_back(Sent { reply, asked, demanded });
        }
    }

    fn want(&mut self, world: &mut World, type_index: usize, wanted: BTreeSet<String>) {
        if wanted.contains("*") {
            // An unprocessed response may carry a name that was unsubscribed since, and under a wildcard the client
            // would keep it although the server dropped it: add the wildcard with no response open.
            while self.answer(world, type_index, true) {}
        }
        let half = &mut self.halves[type_index];
        if half.started || !wanted.is_empty() {
            if self.protocol == Delta && half.wildcard() {
                // A name unsubscribed under a wildcard is answered, also unchanged.
                half.request(half.wanted.difference(&wanted).cloned().collect());
            }
            let before = half.wanted.clone();
            half.want(wanted);
            if half.processed.is_some() && !half.unprocessed.is_empty() {
                half.unread.extend(half.wanted.difference(&before).cloned());
            }
            let request = self.request(type_index, None);
            self.send(world, request);
        }
    }

    /// Returns whether there was something to answer.
    fn answer(&mut self, world: &mut World, type_index: usize, ack: bool) -> bool {
        let half = &mut self.halves[type_index];
        let Some(Sent { reply, asked, .. }) = half.unprocessed.pop_front() else { return false };
        half.take(self.protocol, TYPES[type_index] == CDS, reply.clone(), &asked);
        half.processed = Some(reply.clone());
        if half.unprocessed.is_empty() {
            half.unread.clear();
        }
        let request = self.request(type_index, Some((&reply, ack)));
        self.send(world, request);
        true
    }

    fn reconnect(&mut self, world: &mut World) {
        world.close(self.stream);
        self.stream = world.open(self.protocol);
        for (type_index, type_id) in TYPES.into_iter().enumerate() {
            let half = &mut self.halves[type_index];
            (half.processed, half.started) = (None, false);
            half.unprocessed.clear();
            half.unread.clear();
            half.expected.clear();
            half.demanded.clone_from(&half.wanted);
            if half.wanted.is_empty() {
                continue;
            }
            let mut request = request(type_id, &[]);
            match self.protocol {
                Sotw => half.asked.extend(half.wanted.clone()),
                Delta => {
                    let held = half.held.iter();
                    let versions = held.map(|(name, content)| {
                        (name.clone(), resource(type_id, name, content).version_text())
                    });
                    request.initial = versions.collect();
                    half.asked.clear();
                }
            }
            request.names = self.request(type_index, None).names;
            self.send(world, request);
        }
    }
}

fn type_index(type_id: TypeId) -> usize {
    TYPES.iter().position(|known| *known == type_id).unwrap()
}

/// The store restricted to the subscription.
fn expected(world: &World, type_id: TypeId, half: &Half) -> BTreeMap<String, String> {
    let names = NAMES.into_iter().filter(|name| half.covers(name));
    let expected = names.filter_map(|name| match world.store.lookup(type_id, name, AUDIENCE) {
        Lookup::Present(resource) => {
            let value = String::from_utf8(resource.value().to_vec()).unwrap();
            Some((name.to_owned(), value.split_once('=').unwrap().1.to_owned()))
        }
        Lookup::Absent(_) | Lookup::Unanswered => None,
    });
    expected.collect()
}

fn run(steps: Vec<Step>) {
    let mut world = World::default();
    let mut clients = [Client::new(&mut world, Sotw), Client::new(&mut world, Delta)];
    for step in steps {
        let mut commit = steerway_engine::Commit::default();
        match step {
            Step::Put(t, n, a, content) => {
                // The clusters name endpoints without a subscription: warming has its own tests.
                let value = format!("{}={content}", NAMES[n]);
                let refs = vec![(EDS, "elsewhere".into())];
                let resource = Resource::new(TYPES[t], NAMES[n], value.as_bytes(), refs).into();
                commit
                    .put
                    .push(steerway_engine::Put { key: key(TYPES[t], NAMES[n], AUDIENCES[a]), resource });
            }
            Step::Absent(t, n, a) => {
                commit.absent.push((key(TYPES[t], NAMES[n], AUDIENCES[a]), "none".into()))
            }
            Step::Forget(t, n, a) => commit.forget.push(key(TYPES[t], NAMES[n], AUDIENCES[a])),
            Step::Complete(t, a) => commit.complete.push((TYPES[t], AUDIENCES[a].into())),
            Step::Want(t, bits) => {
                // Only clusters have a wildcard.
                let names = NAMES.into_iter().chain((TYPES[t] == CDS).then_some("*"));
                let wanted = names.enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
                let wanted: BTreeSet<String> = wanted.map(|(_, name)| name.to_owned()).collect();
                clients.iter_mut().for_each(|client| client.want(&mut world, t, wanted.clone()));
            }
            Step::Again(t, n) => {
                let half = &mut clients[1].halves[t];
                if half.wanted.contains(NAMES[n]) {
                    half.request(BTreeSet::from([NAMES[n].to_owned()]));
                    clients[1].send(&mut world, request(TYPES[t], &[NAMES[n]]));
                }
            }
            Step::Answer(delta, t, ack) => drop(clients[usize::from(delta)].answer(&mut world, t, ack)),
            Step::Reconnect(delta) => clients[usize::from(delta)].reconnect(&mut world),
        }
        apply(&mut world, &mut clients, commit);
    }
    finish(&mut world, &mut clients);
    check(&world, &clients);
    clients.iter().for_each(|client| world.close(client.stream));
    assert_eq!(world.interests(), 0, "the index keeps nothing of streams that ended");
}

fn apply(world: &mut World, clients: &mut [Client; 2], commit: steerway_engine::Commit) {
    world.apply(commit);
    for name in NAMES {
        // State of the world does not report the deletion: the same content is new afterwards.
        if matches!(world.store.lookup(EDS, name, AUDIENCE), Lookup::Absent(_)) {
            clients[0].halves[type_index(EDS)].asked.insert(name.to_owned());
        }
    }
    for client in clients {
        let replies = world.pump(client.stream);
        client.receive(replies);
    }
}

/// Publish every name, and ACK every response.
fn finish(world: &mut World, clients: &mut [Client; 2]) {
    let mut commit = steerway_engine::Commit::default();
    for type_id in TYPES {
        commit.complete.push((type_id, "".into()));
        for name in NAMES {
            if matches!(world.store.lookup(type_id, name, AUDIENCE), Lookup::Unanswered) {
                commit.absent.push((key(type_id, name, ""), "none".into()));
            }
        }
    }
    apply(world, clients, commit);
    for client in clients {
        for round in 0.. {
            assert!(round < ROUNDS, "the exchange ends");
            let answered = [0, 1].map(|type_index| client.answer(world, type_index, true));
            if answered == [false; 2] {
                break;
            }
        }
    }
}

fn check(world: &World, clients: &[Client; 2]) {
    let mut versions: HashMap<(TypeId, BTreeMap<String, String>), String> = HashMap::new();
    for client in clients {
        for (type_id, half) in TYPES.into_iter().zip(&client.halves) {
            let expected = expected(world, type_id, half);
            let mut held = half.held.clone();
            if client.protocol == Sotw && type_id == EDS {
                // Deletions of partial types are not reported: the client may still hold them.
                held.retain(|name, _| expected.contains_key(name));
            }
            assert_eq!(held, expected, "{:?} {type_id:?}: {half:?}", client.protocol);
            if half.started {
                let names: Vec<String> =
                    world.view(client.stream, type_id).names.iter().map(|name| name.to_string()).collect();
                let wanted: Vec<String> = half.wanted.iter().filter(|name| *name != "*").cloned().collect();
                assert_eq!(names, wanted);
            }
            // The last response of a full set carries the version of its content, in both protocols.
            if let Some(reply) = half.processed.as_ref().filter(|_| type_id == CDS && half.wildcard()) {
                let version = versions.entry((type_id, held)).or_insert_with(|| reply.version.clone());
                assert_eq!(*version, reply.version);
            }
        }
    }
}

proptest! {
    // PROPTEST_CASES=20000 for a long run.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn delta_client_is_sotw_client_is_store_restricted_to_the_subscription(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        run(steps);
    }
}
