//! Any sequence of consistent commits and answers: at every moment a proxy has every cluster that one of its routes
//! names, with its endpoints; and when all is answered, it holds the store.
//!
//! The proxy processes responses in the order of the stream and, like Envoy over delta, accepts no clusters before all
//! of them have their endpoints. In the first run no time passes, so no timeout helps; in the second it does, and still
//! no route is sent before its clusters.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::TypeId;

use crate::world::{
    CDS, EDS, Op, RDS, Reply, Request, World, absent, cluster, complete, forget, naming, put, request,
};

const CLUSTERS: [&str; 4] = ["a", "b", "c", "d"];
const ROUTES: [&str; 2] = ["r", "s"];

/// The mesh after one commit.
#[derive(Clone, Debug)]
struct Mesh {
    /// Clusters that each route names, a bit each.
    routes: [u8; ROUTES.len()],
    /// Clusters that exist and that no route names.
    idle: u8,
    /// Content of clusters and endpoints.
    content: u8,
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Mesh),
    /// The proxy processes the next response; a route may be rejected.
    Take {
        refuse: bool,
    },
    /// The proxy processes nothing for so many seconds.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let mesh = ([0u8..16, 0u8..16], 0u8..16, 0u8..3)
        .prop_map(|(routes, idle, content)| Step::Commit(Mesh { routes, idle, content }));
    prop_oneof![1 => mesh, 4 => proptest::bool::weighted(0.2).prop_map(|refuse| Step::Take { refuse })]
}

/// The same, with pauses that some waits do not outlast.
fn slow_step() -> impl Strategy<Value = Step> {
    prop_oneof![4 => step(), 1 => (1u64..8).prop_map(Step::Wait)]
}

fn named(bits: u8) -> impl Iterator<Item = &'static str> {
    CLUSTERS.into_iter().enumerate().filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| name)
}

impl Mesh {
    fn clusters(&self) -> u8 {
        self.routes.iter().fold(self.idle, |all, route| all | route)
    }

    fn ops(&self) -> Vec<Op> {
        let content = self.content.to_string();
        let mut ops = Vec::new();
        for (bit, name) in CLUSTERS.into_iter().enumerate() {
            match self.clusters() >> bit & 1 {
                1 => ops.extend([cluster(name, &content, name), put(EDS, name, &content)]),
                _ => ops.extend([forget(CDS, name), absent(EDS, name)]),
            }
        }
        for (route, bits) in ROUTES.into_iter().zip(self.routes) {
            let clusters: Vec<&str> = named(bits).collect();
            ops.push(naming(RDS, route, &format!("[{}]", clusters.concat()), CDS, &clusters));
        }
        ops
    }
}

struct Proxy {
    protocol: Protocol,
    stream: usize,
    inbox: VecDeque<Reply>,
    clusters: BTreeMap<String, String>,
    endpoints: BTreeMap<String, String>,
    asked: BTreeSet<String>,
    routes: BTreeMap<String, String>,
    /// Clusters received over delta without endpoints since: until then the proxy accepts no clusters.
    warming: BTreeSet<String>,
    withheld: Vec<Reply>,
    /// The clusters that it was sent, processed or not.
    sent: BTreeSet<String>,
}

impl Proxy {
    fn new(world: &mut World, protocol: Protocol) -> Proxy {
        let stream = world.open(protocol);
        let mut proxy = Proxy {
            protocol,
            stream,
            inbox: VecDeque::new(),
            clusters: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            asked: BTreeSet::new(),
            routes: BTreeMap::new(),
            warming: BTreeSet::new(),
            withheld: Vec::new(),
            sent: BTreeSet::new(),
        };
        proxy.send(world, request(CDS, &[]));
        while proxy.take(world, false) {}
        proxy.send(world, request(RDS, &ROUTES));
        while proxy.take(world, false) {}
        proxy
    }

    fn send(&mut self, world: &mut World, request: Request) {
        let replies = world.send(self.stream, request);
        self.receive(replies);
    }

    /// Responses are received: no route is sent before the clusters that it names.
    fn receive(&mut self, replies: Vec<Reply>) {
        for reply in replies {
            if reply.type_id == CDS {
                if self.protocol == Sotw {
                    self.sent.clear();
                }
                self.sent.extend(reply.resources.keys().cloned());
                self.sent.retain(|name| !reply.removed.contains(name));
            }
            for clusters in reply.resources.values().filter(|_| reply.type_id == RDS) {
                for name in clusters_in(clusters) {
                    assert!(self.sent.contains(name), "a route names {name}, which was not sent");
                }
            }
            self.inbox.push_back(reply);
        }
    }

    /// Process the next response; `false` when there is none.
    fn take(&mut self, world: &mut World, refuse: bool) -> bool {
        let Some(reply) = self.inbox.pop_front() else { return false };
        if refuse && reply.type_id == RDS {
            let names: &[&str] = if self.protocol == Sotw { &ROUTES } else { &[] };
            self.send(world, request(RDS, names).nack(&reply, 3, "refused"));
            return true;
        }
        let held = match reply.type_id {
            TypeId::Cluster => &mut self.clusters,
            TypeId::Endpoint => &mut self.endpoints,
            _ => &mut self.routes,
        };
        if self.protocol == Sotw && reply.type_id == CDS {
            held.clear();
        }
        held.extend(reply.resources.clone());
        reply.removed.iter().for_each(|name| drop(held.remove(name)));
        if reply.type_id == CDS {
            self.follow_clusters(world);
            if self.protocol == Delta {
                self.warming.extend(reply.resources.keys().cloned());
            }
        }
        self.warming.retain(|name| self.clusters.contains_key(name));
        if reply.type_id == EDS {
            self.warming.retain(|name| !reply.resources.contains_key(name) && !reply.removed.contains(name));
        }
        if reply.type_id == CDS {
            self.withheld.push(reply);
        } else {
            self.accept(world, &reply);
        }
        if self.warming.is_empty() {
            for clusters in std::mem::take(&mut self.withheld) {
                self.accept(world, &clusters);
            }
        }
        true
    }

    fn accept(&mut self, world: &mut World, reply: &Reply) {
        let names: Vec<String> = match (self.protocol, reply.type_id) {
            (Sotw, TypeId::Endpoint) => self.asked.iter().cloned().collect(),
            (Sotw, TypeId::Route) => ROUTES.map(str::to_owned).to_vec(),
            _ => vec![],
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.send(world, request(reply.type_id, &names).ack(reply));
    }

    /// Subscribe to the endpoints of the current clusters, before the clusters are accepted.
    fn follow_clusters(&mut self, world: &mut World) {
        let wanted: BTreeSet<String> = self.clusters.keys().cloned().collect();
        if wanted == self.asked {
            return;
        }
        let before = std::mem::replace(&mut self.asked, wanted.clone());
        self.endpoints.retain(|name, _| wanted.contains(name));
        fn list<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
            names.map(String::as_str).collect()
        }
        let request = match self.protocol {
            Sotw => request(EDS, &list(wanted.iter())),
            Delta => {
                request(EDS, &list(wanted.difference(&before))).unsubscribe(&list(before.difference(&wanted)))
            }
        };
        self.send(world, request);
    }

    fn check(&self) {
        for (route, clusters) in &self.routes {
            for name in clusters_in(clusters) {
                assert!(self.clusters.contains_key(name), "{route} names {name}, which is not there");
                assert!(self.endpoints.contains_key(name), "{route} names {name}, which has no endpoints");
            }
        }
    }
}

/// The clusters in the content of a route.
fn clusters_in(content: &str) -> impl Iterator<Item = &str> {
    content.trim_matches(['[', ']']).split("").filter(|name| !name.is_empty())
}

/// A client in one state of the mesh after the other. `timely`: no wait reaches its deadline.
fn run(protocol: Protocol, steps: &[Step], timely: bool) {
    let mut mesh = Mesh { routes: [1, 2], idle: 0, content: 0 };
    let mut world = World::serving(mesh.ops().into_iter().chain([complete(CDS)]));
    let mut proxy = Proxy::new(&mut world, protocol);
    for step in steps {
        match step {
            Step::Commit(next) => {
                mesh = next.clone();
                let replies = world.change(proxy.stream, mesh.ops());
                proxy.receive(replies);
            }
            Step::Take { refuse } => {
                if proxy.take(&mut world, *refuse) && timely {
                    proxy.check();
                }
            }
            Step::Wait(seconds) => {
                world.wait(Duration::from_secs(*seconds));
                let replies = world.pump(proxy.stream);
                proxy.receive(replies);
            }
        }
    }
    // A rejected route stays rejected until it changes: end with another one.
    while proxy.take(&mut world, false) {}
    let last = Mesh { content: 7, routes: [mesh.routes[0] ^ 15, mesh.routes[1] ^ 15], ..mesh };
    let replies = world.change(proxy.stream, last.ops());
    proxy.receive(replies);
    while proxy.take(&mut world, false) {}
    assert!(proxy.warming.is_empty(), "{:?} never came again", proxy.warming);

    let clusters: Vec<&str> = named(last.clusters()).collect();
    assert_eq!(proxy.clusters.keys().collect::<Vec<_>>(), clusters, "{protocol:?}");
    assert_eq!(proxy.endpoints.keys().collect::<Vec<_>>(), clusters);
    assert!(proxy.clusters.values().chain(proxy.endpoints.values()).all(|content| content == "7"));
    let routes = last.routes.map(|bits| format!("[{}]", named(bits).collect::<String>()));
    assert_eq!(proxy.routes.values().cloned().collect::<Vec<_>>(), routes);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_route_always_has_its_clusters(steps in proptest::collection::vec(step(), 1..60)) {
        for protocol in [Sotw, Delta] {
            run(protocol, &steps, true);
        }
    }

    #[test]
    fn a_route_is_never_sent_before_its_clusters(steps in proptest::collection::vec(slow_step(), 1..60)) {
        for protocol in [Sotw, Delta] {
            run(protocol, &steps, false);
        }
    }
}
