//! An xDS client on one SotW ADS stream: subscribes to three assignments and acknowledges every response.

use crate::assignment::Assignments;
use crate::fleet::{Client, Layout};
use crate::http2::{Http2, opening};
use crate::protobuf::{each, last, put};
use crate::round::Round;

const PATH: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
const ASSIGNMENT: &[u8] = b"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// Assignments that each client subscribes to.
pub const SUBSCRIPTIONS: usize = 3;

/// A subscription and the round in which it was satisfied last.
struct Slot {
    service: usize,
    round: Option<u64>,
}

/// What all clients share: the layout, the content check and which services the present round changes.
pub struct Mesh {
    layout: Layout,
    assignments: Assignments,
    changed: Vec<bool>,
    subscribers: Vec<usize>,
}

impl Mesh {
    #[must_use]
    pub fn new(layout: Layout, clients: usize, services: usize, endpoints: usize) -> Self {
        let mut subscribers = vec![0; services];
        for service in (0..clients).flat_map(|client| layout.services(client, services)) {
            subscribers[service] += 1;
        }
        Self {
            layout,
            assignments: Assignments::new(services, endpoints),
            changed: vec![true; services],
            subscribers,
        }
    }
}

pub struct Discovery {
    id: usize,
    http2: Http2,
    slots: [Slot; SUBSCRIPTIONS],
    subscription: Vec<u8>,
}

impl Discovery {
    fn request(&self, node: &[u8], version: &[u8], nonce: &[u8]) -> Vec<u8> {
        let mut request =
            Vec::with_capacity(version.len() + node.len() + self.subscription.len() + nonce.len() + 8);
        put(&mut request, 1, version);
        put(&mut request, 2, node);
        request.extend_from_slice(&self.subscription);
        put(&mut request, 5, nonce);
        request
    }

    /// As grpc-go introduces itself, so that a server which tells dialects apart sees a gRPC client.
    fn node(&self) -> Vec<u8> {
        let mut node = Vec::new();
        put(&mut node, 1, format!("bench-{}", self.id).as_bytes());
        put(&mut node, 6, b"gRPC Go");
        put(&mut node, 7, b"1.85.0");
        put(&mut node, 10, b"envoy.lb.does_not_support_overprovisioning");
        put(&mut node, 10, b"xds.config.resource-in-sotw");
        node
    }

    fn accept(&mut self, response: &[u8], mesh: &mut Mesh, round: &mut Round) -> Result<Vec<u8>, String> {
        if last(response, 4)? != ASSIGNMENT {
            return Err("response of a type that was not asked for".into());
        }
        round.responses += 1;
        each(response, 2, |any| {
            if last(any, 1)? != ASSIGNMENT {
                return Err("resource of a type that was not asked for".into());
            }
            round.resources += 1;
            let (service, current) = mesh.assignments.check(last(any, 2)?)?;
            let slot = self.slots.iter_mut().find(|slot| slot.service == service);
            let slot = slot.ok_or_else(|| format!("svc-{service} was not asked for"))?;
            if current && mesh.changed[service] && slot.round != Some(round.number) {
                slot.round = Some(round.number);
                round.deliver();
            }
            Ok(())
        })?;
        let (version, nonce) = (last(response, 1)?, last(response, 5)?);
        if version.is_empty() || nonce.is_empty() {
            return Err("response without version or nonce".into());
        }
        Ok(self.request(&[], version, nonce))
    }
}

impl Client for Discovery {
    type Shared = Mesh;

    fn open(id: usize, authority: &str, mesh: &Mesh, out: &mut Vec<u8>) -> Self {
        let services = mesh.layout.services(id, mesh.subscribers.len());
        let mut subscription = Vec::new();
        for service in services {
            put(&mut subscription, 3, format!("svc-{service}.bench.svc.cluster.local:50051").as_bytes());
        }
        put(&mut subscription, 4, ASSIGNMENT);
        let slots = services.map(|service| Slot { service, round: None });
        let mut client = Self { id, http2: Http2::default(), slots, subscription };
        out.extend(opening(authority, PATH));
        let request = client.request(&client.node(), &[], &[]);
        client.http2.send(&request, out);
        client
    }

    fn receive(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        mesh: &mut Mesh,
        round: &mut Round,
    ) -> Result<usize, String> {
        let used = self.http2.receive(bytes, out)?;
        while let Some(response) = self.http2.next_message()? {
            let ack = self.accept(&response, mesh, round)?;
            self.http2.send(&ack, out);
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
