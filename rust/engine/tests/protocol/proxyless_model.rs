//! Any sequence of consistent commits, and a proxyless client that accepts responses at its own pace: the resources
//! that it uses exist at every moment, and in the end it holds the store and the server keeps no retiring resource.
//!
//! Time does not pass, so no timeout helps. The client checks at each response that the resources that it uses exist.

use proptest::prelude::*;
use steerway_engine::Protocol::{Delta, Sotw};

use crate::proxyless::{Client, inline, over_rds, route, served};
use crate::world::{CDS, EDS, MAKE_BEFORE_BREAK_TIMEOUT, NOTHING, Op, RDS, World, absent};

const CLUSTERS: [&str; 3] = ["a", "b", "c"];
const ROUTES: [&str; 2] = ["r", "s"];

/// The mesh after one commit. Sets of clusters are a bit for each.
#[derive(Clone, Debug)]
struct Mesh {
    /// The listener names one of the routes, or has its own.
    named: Option<usize>,
    inline: u8,
    routes: [u8; ROUTES.len()],
    /// Routes and clusters that are there though nothing names them.
    idle: [bool; ROUTES.len()],
    idle_clusters: u8,
    /// The assignment of each cluster is one of two.
    assignments: u8,
}

fn mesh() -> impl Strategy<Value = Mesh> {
    let sets = (1u8..8, [1u8..8, 1u8..8], 0u8..8, 0u8..8);
    let named = proptest::option::weighted(0.7, 0..ROUTES.len());
    (named, sets, any::<[bool; ROUTES.len()]>()).prop_map(
        |(named, (inline, routes, idle_clusters, assignments), idle)| Mesh {
            named,
            inline,
            routes,
            idle,
            idle_clusters,
            assignments,
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Mesh),
    Take,
    Refuse,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![5 => mesh().prop_map(Step::Commit), 14 => Just(Step::Take), 1 => Just(Step::Refuse)]
}

fn clusters(bits: u8) -> String {
    let named = CLUSTERS.into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    named.map(|(_, name)| name).collect::<Vec<_>>().join("+")
}

impl Mesh {
    fn has_route(&self, route: usize) -> bool {
        self.idle[route] || self.named == Some(route)
    }

    fn assignment(&self, cluster: usize) -> String {
        format!("{}{}", CLUSTERS[cluster], self.assignments >> cluster & 1)
    }

    fn used(&self) -> u8 {
        self.named.map_or(self.inline, |route| self.routes[route])
    }

    fn ops(&self) -> Vec<Op> {
        let mut ops = vec![match self.named {
            Some(route) => over_rds("l", ROUTES[route]),
            None => inline("l", &clusters(self.inline)),
        }];
        let mut present = self.idle_clusters | self.used();
        for (index, name) in ROUTES.into_iter().enumerate() {
            if self.has_route(index) {
                present |= self.routes[index];
                ops.push(route(name, &clusters(self.routes[index])));
            } else {
                ops.push(absent(RDS, name));
            }
        }
        for (index, name) in CLUSTERS.into_iter().enumerate() {
            let (assignment, other) =
                (self.assignment(index), ["1", "0"][usize::from(self.assignments >> index & 1)]);
            ops.push(absent(EDS, &format!("{name}{other}")));
            if present >> index & 1 == 1 {
                ops.extend(served(name, &assignment));
            } else {
                ops.extend([absent(CDS, name), absent(EDS, &assignment)]);
            }
        }
        ops
    }
}

/// Run the steps; the client checks each response, and in the end it must use the last mesh.
fn check(first: &Mesh, asks_first: bool, steps: &[Step]) {
    for protocol in [Sotw, Delta] {
        let mut last = first.clone();
        let mut world = World::serving(last.ops());
        let mut client = Client::new(&mut world, protocol, "l");
        client.asks_first = asks_first;
        for step in steps {
            match step {
                Step::Commit(mesh) => {
                    last = mesh.clone();
                    client.commit(&mut world, last.ops());
                }
                Step::Take => drop(client.take(&mut world)),
                Step::Refuse => client.refuse(&mut world),
            }
        }
        client.finish(&mut world);
        if steps.iter().any(|step| matches!(step, Step::Refuse)) {
            continue; // A rejected resource stays rejected until it changes.
        }
        let used = CLUSTERS.iter().enumerate().filter(|(bit, _)| last.used() >> bit & 1 == 1);
        let used = used.map(|(index, name)| (name.to_string(), last.assignment(index))).collect();
        assert_eq!(client.in_use.as_ref(), Some(&used), "{:?}", protocol);
        client.got();
        world.wait(MAKE_BEFORE_BREAK_TIMEOUT * 2);
        client.pump(&mut world);
        assert_eq!(client.got(), NOTHING, "{:?}: nothing was left for the timeout", protocol);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn resources_in_use_are_never_removed(
        first in mesh(),
        asks_first in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        check(&first, asks_first, &steps);
    }
}

/// A listener with these clusters inside.
fn with_inline(inline: u8, assignments: u8) -> Mesh {
    Mesh { named: None, inline, routes: [1, 1], idle: [false; 2], idle_clusters: 0, assignments }
}

/// A listener that names a route.
fn with_route(named: usize, routes: [u8; 2], assignments: u8) -> Mesh {
    Mesh { named: Some(named), routes, ..with_inline(1, assignments) }
}

/// State of the world: an assignment that the client dropped in a request with a stale nonce counts as accepted only
/// when the open response that brings it again is acknowledged.
#[test]
fn a_dropped_assignment_is_not_accepted_before_it_arrives_again() {
    let steps = [
        Step::Commit(with_route(1, [1, 0b010], 0b100)),
        Step::Take,
        Step::Take,
        Step::Commit(with_route(1, [1, 0b101], 0b001)),
        Step::Take,
        Step::Take,
        Step::Commit(Mesh { idle: [false, true], ..with_inline(0b010, 0b110) }),
        Step::Commit(Mesh { idle: [false, true], ..with_route(0, [0b100, 0b010], 0b110) }),
    ];
    check(&with_inline(0b111, 0b010), false, &steps);
}

/// The replaced assignment of a cluster stays until the client has all clusters of the route, because it switches to
/// them at once (gRFC A74).
#[test]
fn a_replaced_assignment_stays_until_the_route_of_its_cluster_is_complete() {
    let steps =
        [Step::Commit(with_route(0, [0b111, 1], 0b101)), Step::Commit(with_route(0, [0b111, 1], 0b000))];
    check(&with_route(0, [0b111, 1], 0b110), true, &steps);
}
