//! An xDS client: on each of its ADS streams it subscribes to three assignments and acknowledges every response.

use crate::assignment::{Assignments, age_ns};
use crate::fleet::{Client, Layout};
use crate::http2::{Http2, opening};
use crate::poll::monotonic_ns;
use crate::protobuf::{fields, last, put};
use crate::round::Round;

const ADS: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";
const ASSIGNMENT: &[u8] = b"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// Assignments that each stream subscribes to.
pub const SUBSCRIPTIONS: usize = 3;

/// A subscription: the round in which it was satisfied last, the stamp and the version that it has.
struct Slot {
    service: usize,
    round: Option<u64>,
    stamp: Option<u32>,
    version: Vec<u8>,
}

/// How many clients there are and what they hold.
pub struct Load {
    pub layout: Layout,
    /// The incremental variant of the protocol.
    pub delta: bool,
    pub clients: usize,
    /// Of each client, on its one connection.
    pub streams: usize,
    pub services: usize,
    pub endpoints: usize,
    /// What an assignment is called, with `{}` for the number of its service.
    pub names: String,
}

impl Load {
    fn name(&self, service: usize) -> String {
        self.names.replacen("{}", &service.to_string(), 1)
    }
}

/// What all clients share: the load, the content check and which services the present round changes.
pub struct Mesh {
    load: Load,
    assignments: Assignments,
    changed: Vec<bool>,
    subscribers: Vec<usize>,
}

impl Mesh {
    #[must_use]
    pub fn new(load: Load) -> Self {
        let mut subscribers = vec![0; load.services];
        for service in (0..load.clients).flat_map(|client| load.layout.services(client, load.services)) {
            subscribers[service] += load.streams;
        }
        Self {
            assignments: Assignments::new(load.services, load.endpoints),
            changed: vec![true; load.services],
            subscribers,
            load,
        }
    }
}

/// One stream: what it holds.
struct Known {
    slots: [Slot; SUBSCRIPTIONS],
    /// Version of the last response (state of the world).
    version: Vec<u8>,
}

pub struct Streams {
    id: usize,
    http2: Http2,
    known: Vec<Known>,
    names: Vec<u8>,
}

impl Streams {
    /// The first request of a stream; versions that are known from an earlier stream go with it.
    fn first(&self, known: &Known, load: &Load) -> Vec<u8> {
        let delta = load.delta;
        let mut request = Vec::new();
        if !delta {
            put(&mut request, 1, &known.version);
        }
        put(&mut request, if delta { 1 } else { 2 }, &self.node());
        request.extend_from_slice(&self.names);
        put(&mut request, if delta { 2 } else { 4 }, ASSIGNMENT);
        for slot in known.slots.iter().filter(|slot| delta && !slot.version.is_empty()) {
            let mut entry = Vec::new();
            put(&mut entry, 1, load.name(slot.service).as_bytes());
            put(&mut entry, 2, &slot.version);
            put(&mut request, 5, &entry);
        }
        request
    }

    fn ack(&self, delta: bool, version: &[u8], nonce: &[u8]) -> Vec<u8> {
        let mut request = Vec::with_capacity(version.len() + self.names.len() + nonce.len() + 80);
        if delta {
            put(&mut request, 2, ASSIGNMENT);
            put(&mut request, 6, nonce);
        } else {
            put(&mut request, 1, version);
            request.extend_from_slice(&self.names);
            put(&mut request, 4, ASSIGNMENT);
            put(&mut request, 5, nonce);
        }
        request
    }

    /// As grpc-go introduces itself, so that a server with several dialects sees a gRPC client.
    fn node(&self) -> Vec<u8> {
        let mut node = Vec::new();
        put(&mut node, 1, format!("bench-{}", self.id).as_bytes());
        put(&mut node, 6, b"gRPC Go");
        put(&mut node, 7, b"1.85.0");
        put(&mut node, 10, b"envoy.lb.does_not_support_overprovisioning");
        put(&mut node, 10, b"xds.config.resource-in-sotw");
        node
    }

    fn accept(
        &mut self,
        stream: usize,
        response: &[u8],
        mesh: &mut Mesh,
        round: &mut Round,
    ) -> Result<Vec<u8>, String> {
        if last(response, 4)? != ASSIGNMENT {
            return Err("response of a type that was not asked for".into());
        }
        let delta = mesh.load.delta;
        let known = &mut self.known[stream];
        round.responses += 1;
        fields(response, 2, |resource| {
            let any = if delta { last(resource, 2)? } else { resource };
            if last(any, 1)? != ASSIGNMENT {
                return Err("resource of a type that was not asked for".into());
            }
            round.resources += 1;
            let checked = mesh.assignments.check(last(any, 2)?)?;
            let service = checked.service;
            let slot = known.slots.iter_mut().find(|slot| slot.service == service);
            let slot = slot.ok_or_else(|| format!("svc-{service} was not asked for"))?;
            if delta {
                last(resource, 1)?.clone_into(&mut slot.version);
            }
            if let Some(stamp) = checked.stamp.filter(|_| slot.stamp != checked.stamp) {
                slot.stamp = Some(stamp);
                round.deliver_aged(age_ns(stamp, monotonic_ns()));
            }
            if checked.current && mesh.changed[service] && slot.round != Some(round.number) {
                slot.round = Some(round.number);
                round.deliver();
            }
            Ok(())
        })?;
        let (version, nonce) = (last(response, 1)?, last(response, 5)?);
        if nonce.is_empty() || (version.is_empty() && !delta) {
            return Err("response without version or nonce".into());
        }
        version.clone_into(&mut known.version);
        Ok(self.ack(delta, version, nonce))
    }
}

impl Client for Streams {
    type Shared = Mesh;

    fn new(id: usize, mesh: &Mesh) -> Self {
        let services = mesh.load.layout.services(id, mesh.load.services);
        let mut names = Vec::new();
        for service in services {
            put(&mut names, 3, mesh.load.name(service).as_bytes());
        }
        let slot = |service| Slot { service, round: None, stamp: None, version: Vec::new() };
        let known = |_| Known { slots: services.map(slot), version: Vec::new() };
        let known = (0..mesh.load.streams).map(known).collect();
        Self { id, http2: Http2::new(mesh.load.streams), known, names }
    }

    fn open(&mut self, authority: &str, mesh: &Mesh, out: &mut Vec<u8>) {
        let variant = if mesh.load.delta { "DeltaAggregatedResources" } else { "StreamAggregatedResources" };
        out.extend(opening(authority, &format!("{ADS}{variant}"), self.known.len()));
        self.http2 = Http2::new(self.known.len());
        for stream in 0..self.known.len() {
            let request = self.first(&self.known[stream], &mesh.load);
            self.http2.send(stream, &request, out);
        }
    }

    fn receive(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        mesh: &mut Mesh,
        round: &mut Round,
    ) -> Result<usize, String> {
        let used = self.http2.receive(bytes, out)?;
        for stream in 0..self.known.len() {
            while let Some(response) = self.http2.next_message(stream)? {
                let ack = self.accept(stream, &response, mesh, round)?;
                self.http2.send(stream, &ack, out);
            }
        }
        Ok(used)
    }

    fn expect(mesh: &mut Mesh, address: &str, services: &[usize]) -> usize {
        mesh.assignments.expect(address, services);
        mesh.changed.fill(false);
        for &service in services {
            mesh.changed[service] = true;
        }
        services.iter().map(|&service| mesh.subscribers[service]).sum()
    }
}
