//! A proxyless client: it learns of each resource from another one, and switches to a configuration when it has all of
//! it (gRFC A74). Until then it uses the one before.
//!
//! Contents list the references: a listener `rds:NAME` or its clusters (`a+b`), a route its clusters, a cluster its
//! assignment.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::TypeId;

use crate::world::{CDS, EDS, LDS, Op, RDS, Reply, World, request};

/// A listener with its routes inside.
pub(crate) fn inline(name: &str, clusters: &str) -> Op {
    let refs = split(clusters).map(|cluster| (CDS, cluster.to_owned())).collect();
    Op::Put(LDS, name.into(), clusters.into(), refs)
}

/// A listener with a route configuration elsewhere.
pub(crate) fn over_rds(name: &str, route: &str) -> Op {
    Op::Put(LDS, name.into(), format!("rds:{route}"), vec![(RDS, route.into())])
}

pub(crate) fn route(name: &str, clusters: &str) -> Op {
    let refs = split(clusters).map(|cluster| (CDS, cluster.to_owned())).collect();
    Op::Put(RDS, name.into(), clusters.into(), refs)
}

/// A cluster with its assignment.
pub(crate) fn served(cluster: &str, assignment: &str) -> [Op; 2] {
    [
        Op::Put(CDS, cluster.into(), assignment.into(), vec![(EDS, assignment.into())]),
        Op::Put(EDS, assignment.into(), "1".into(), Vec::new()),
    ]
}

fn split(names: &str) -> impl Iterator<Item = &str> {
    names.split('+').filter(|name| !name.is_empty())
}

/// The configuration of the client: clusters, and the assignment of each.
type Config = BTreeMap<String, String>;

pub(crate) struct Client {
    protocol: Protocol,
    pub(crate) stream: usize,
    listener: &'static str,
    inbox: VecDeque<Reply>,
    /// The replies since they were last taken, in order.
    got: Vec<String>,
    held: BTreeMap<TypeId, BTreeMap<String, String>>,
    asked: BTreeMap<TypeId, BTreeSet<String>>,
    nonces: BTreeMap<TypeId, String>,
    /// It subscribes to the names in a response before it accepts the response.
    pub(crate) asks_first: bool,
    pub(crate) in_use: Option<Config>,
}

const TYPES: [TypeId; 4] = [LDS, RDS, CDS, EDS];

impl Client {
    /// A client of a listener that has accepted all resources.
    pub(crate) fn new(world: &mut World, protocol: Protocol, listener: &'static str) -> Client {
        let mut client = Client {
            protocol,
            stream: world.open(protocol),
            listener,
            inbox: VecDeque::new(),
            got: Vec::new(),
            held: TYPES.map(|type_id| (type_id, BTreeMap::new())).into(),
            asked: TYPES.map(|type_id| (type_id, BTreeSet::new())).into(),
            nonces: BTreeMap::new(),
            asks_first: false,
            in_use: None,
        };
        client.follow(world);
        client.finish(world);
        client.got();
        client
    }

    pub(crate) fn commit(&mut self, world: &mut World, ops: impl IntoIterator<Item = Op>) {
        world.commit(ops);
        self.pump(world);
    }

    /// Take the replies.
    pub(crate) fn got(&mut self) -> Vec<String> {
        std::mem::take(&mut self.got)
    }

    /// Receive what is due.
    pub(crate) fn pump(&mut self, world: &mut World) {
        let replies = world.pump(self.stream);
        self.note(replies);
    }

    /// Process the next response; `false` when there is none.
    pub(crate) fn take(&mut self, world: &mut World) -> bool {
        let Some(reply) = self.inbox.pop_front() else { return false };
        self.nonces.insert(reply.type_id, reply.nonce.clone());
        self.apply(&reply);
        if self.asks_first {
            self.follow(world);
        }
        self.answer(world, &reply, false);
        self.follow(world);
        true
    }

    /// Reject the next response, if there is one.
    pub(crate) fn refuse(&mut self, world: &mut World) {
        let Some(reply) = self.inbox.pop_front() else { return };
        self.nonces.insert(reply.type_id, reply.nonce.clone());
        self.answer(world, &reply, true);
    }

    pub(crate) fn finish(&mut self, world: &mut World) {
        while self.take(world) {}
    }

    /// The next response, for a test that answers it in place of the client.
    pub(crate) fn next(&mut self) -> Reply {
        self.inbox.pop_front().expect("a response")
    }

    fn note(&mut self, replies: Vec<Reply>) {
        let text = |reply: &Reply| format!("{:?} {}", reply.type_id, reply.text()).trim_end().to_owned();
        self.got.extend(replies.iter().map(text));
        self.inbox.extend(replies);
    }

    fn apply(&mut self, reply: &Reply) {
        let asked = &self.asked[&reply.type_id];
        let held = self.held.get_mut(&reply.type_id).unwrap();
        if self.protocol == Sotw && reply.type_id.is_full_state() {
            held.clear();
        }
        let resources = reply.resources.iter().filter(|(name, _)| asked.contains(*name));
        held.extend(resources.map(|(name, content)| (name.clone(), content.clone())));
        reply.removed.iter().for_each(|name| drop(held.remove(name)));
        self.check();
        if let Some(target) = self.target() {
            self.in_use = Some(target);
        }
    }

    /// Accept or reject a response. State of the world: with the names of the last request.
    fn answer(&mut self, world: &mut World, reply: &Reply, refuse: bool) {
        let names: Vec<&str> = self.asked[&reply.type_id].iter().map(String::as_str).collect();
        let names = if self.protocol == Sotw { &names[..] } else { &[] };
        let answer = request(reply.type_id, names);
        let answer = if refuse { answer.nack(reply, 3, "refused") } else { answer.ack(reply) };
        let replies = world.send(self.stream, answer);
        self.note(replies);
    }

    /// Update the subscriptions.
    fn follow(&mut self, world: &mut World) {
        for type_id in TYPES {
            let wanted = self.wanted(type_id);
            let before = self.asked.insert(type_id, wanted.clone()).unwrap();
            if wanted == before {
                continue;
            }
            self.held.get_mut(&type_id).unwrap().retain(|name, _| wanted.contains(name));
            // Delta: an open response to an unsubscribed name does not answer the next subscription to the name.
            let left_behind = |reply: &&mut Reply| self.protocol == Delta && reply.type_id == type_id;
            for reply in self.inbox.iter_mut().filter(left_behind) {
                reply.resources.retain(|name, _| wanted.contains(name) || !before.contains(name));
            }
            fn list<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
                names.map(String::as_str).collect()
            }
            let request = match self.protocol {
                Sotw => {
                    let nonce = self.nonces.get(&type_id).map_or("", String::as_str);
                    request(type_id, &list(wanted.iter())).nonce(nonce)
                }
                Delta => {
                    let gone = list(before.difference(&wanted));
                    request(type_id, &list(wanted.difference(&before))).unsubscribe(&gone)
                }
            };
            let replies = world.send(self.stream, request);
            self.note(replies);
        }
    }

    fn wanted(&self, type_id: TypeId) -> BTreeSet<String> {
        let in_use = self.in_use.iter().flatten();
        let clusters = || self.clusters().unwrap_or_default().into_iter();
        match type_id {
            LDS => [self.listener.to_owned()].into(),
            RDS => self.route_name().map(str::to_owned).into_iter().collect(),
            CDS => clusters().map(str::to_owned).chain(in_use.map(|(cluster, _)| cluster.clone())).collect(),
            _ => {
                let named = clusters().filter_map(|cluster| self.held[&CDS].get(cluster).cloned());
                named.chain(in_use.map(|(_, assignment)| assignment.clone())).collect()
            }
        }
    }

    fn route_name(&self) -> Option<&str> {
        self.held[&LDS].get(self.listener)?.strip_prefix("rds:")
    }

    /// Clusters of the last listener and its routes; `None` when these are not there.
    fn clusters(&self) -> Option<Vec<&str>> {
        let content = match self.route_name() {
            Some(route) => self.held[&RDS].get(route)?,
            None => self.held[&LDS].get(self.listener)?,
        };
        Some(split(content).collect())
    }

    /// The last configuration, if it is complete.
    fn target(&self) -> Option<Config> {
        let assignment = |cluster: &str| {
            let assignment = self.held[&CDS].get(cluster)?;
            self.held[&EDS].contains_key(assignment).then(|| (cluster.to_owned(), assignment.clone()))
        };
        self.clusters()?.into_iter().map(assignment).collect()
    }

    /// The resources in use exist, unless the listener was removed.
    fn check(&self) {
        if !self.held[&LDS].contains_key(self.listener) {
            return;
        }
        for (cluster, assignment) in self.in_use.iter().flatten() {
            assert!(self.held[&CDS].contains_key(cluster), "{cluster} is in use: {:?}", self.held);
            assert!(self.held[&EDS].contains_key(assignment), "{assignment} is in use: {:?}", self.held);
        }
    }
}
