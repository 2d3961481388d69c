//! NACKs that wait to be polled.
//!
//! Each client has a share of the queue: over its share its oldest NACK is dropped, and when the queue is full, the
//! oldest of the client with most of them. Dropped NACKs are counted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use steerway_engine::{Nack, TypeId};

use crate::limits::client_key::ClientKey;

/// NACKs of all clients.
pub(crate) const MAX_WAITING: usize = 1024;

/// NACKs of one client.
pub(crate) const MAX_PER_CLIENT: usize = 32;

/// A client refused a response.
#[derive(Debug)]
pub struct NackReport {
    /// Id of the stream.
    pub stream: u64,
    /// Address of the client.
    pub peer: Arc<str>,
    /// The client's `node.id`.
    pub node_id: Arc<str>,
    /// Type of the refused response.
    pub type_id: TypeId,
    /// What was refused and why.
    pub nack: Box<Nack>,
    /// Earlier NACKs that were dropped and that this report represents.
    pub suppressed: u64,
}

/// The NACKs of one client.
#[derive(Debug, Default)]
struct ClientNacks {
    reports: VecDeque<NackReport>,
    suppressed: u64,
}

/// The NACKs of all clients.
#[derive(Debug, Default)]
pub(crate) struct NackQueue {
    clients: HashMap<ClientKey, ClientNacks>,
    count: usize,
    /// Dropped of clients without a NACK in the queue.
    suppressed: u64,
}

impl NackQueue {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn push(&mut self, client: ClientKey, report: NackReport) {
        let own = self.clients.get(&client).map_or(0, |waiting| waiting.reports.len());
        if self.count == MAX_WAITING && own < MAX_PER_CLIENT && !self.make_room(own) {
            if own == 0 {
                self.suppressed += 1;
                return;
            }
            self.drop_oldest(&client);
        } else if own == MAX_PER_CLIENT {
            self.drop_oldest(&client);
        }
        self.clients.entry(client).or_default().reports.push_back(report);
        self.count += 1;
    }

    /// All NACKs, one of each client in turn. The last one of a client counts what was dropped of it; the last of all
    /// also counts what was dropped of clients without any.
    pub(crate) fn take(&mut self) -> Vec<NackReport> {
        let mut clients: Vec<ClientNacks> = self.clients.drain().map(|(_, waiting)| waiting).collect();
        let mut all = Vec::with_capacity(std::mem::take(&mut self.count));
        while !clients.is_empty() {
            clients.retain_mut(|ClientNacks { reports, suppressed }| {
                let Some(mut report) = reports.pop_front() else { return false };
                if reports.is_empty() {
                    report.suppressed = *suppressed;
                }
                all.push(report);
                !reports.is_empty()
            });
        }
        if let Some(last) = all.last_mut() {
            last.suppressed += std::mem::take(&mut self.suppressed);
        }
        all
    }

    /// Drop a NACK of the client with most of them, if it has at least two more than one with `own`.
    fn make_room(&mut self, own: usize) -> bool {
        let most = self.clients.iter().max_by_key(|(_, waiting)| waiting.reports.len());
        let Some((client, waiting)) = most else { return false };
        if waiting.reports.len() <= own + 1 {
            return false;
        }
        let client = client.clone();
        self.drop_oldest(&client);
        true
    }

    fn drop_oldest(&mut self, client: &ClientKey) {
        if let Some(waiting) = self.clients.get_mut(client) {
            self.count -= usize::from(waiting.reports.pop_front().is_some());
            waiting.suppressed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_key(host: &str) -> ClientKey {
        ClientKey::Address(host.into())
    }

    fn push(nacks: &mut NackQueue, host: &str, stream: u64) {
        let nack = Nack {
            resources: Vec::new(),
            refused: 0,
            version: "".into(),
            code: 3,
            message: "".into(),
            change: 0,
        };
        let (peer, node_id, nack) = (host.into(), "".into(), Box::new(nack));
        let report = NackReport { stream, peer, node_id, type_id: TypeId::Cluster, nack, suppressed: 0 };
        nacks.push(client_key(host), report);
    }

    #[test]
    fn a_client_keeps_its_newest_and_displaces_no_other_client() {
        let mut nacks = NackQueue::default();
        push(&mut nacks, "other", 0);
        for stream in 0..100_000 {
            push(&mut nacks, "storm", stream);
        }
        assert_eq!(nacks.len(), MAX_PER_CLIENT + 1);
        let taken = nacks.take();
        let storm: Vec<u64> =
            taken.iter().filter(|nack| &*nack.peer == "storm").map(|nack| nack.stream).collect();
        assert_eq!(storm, ((100_000 - MAX_PER_CLIENT as u64)..100_000).collect::<Vec<_>>());
        assert_eq!(taken.iter().filter(|nack| &*nack.peer == "other").count(), 1);
        let suppressed: Vec<u64> =
            taken.iter().map(|nack| nack.suppressed).filter(|count| *count > 0).collect();
        assert_eq!(suppressed, [100_000 - MAX_PER_CLIENT as u64]);
        assert_eq!((nacks.len(), nacks.take().len()), (0, 0));
    }

    #[test]
    fn clients_with_many_are_displaced_by_one_with_few() {
        let mut nacks = NackQueue::default();
        for stream in 0..MAX_WAITING as u64 {
            push(&mut nacks, &format!("host {}", stream % 40), stream);
        }
        assert_eq!(nacks.len(), MAX_WAITING);
        (0..10).for_each(|stream| push(&mut nacks, "late", stream));
        let taken = nacks.take();
        assert_eq!(taken.len(), MAX_WAITING);
        assert_eq!(taken.iter().filter(|nack| &*nack.peer == "late").count(), 10);
        assert_eq!(taken.iter().map(|nack| nack.suppressed).sum::<u64>(), 10);
        let first: std::collections::HashSet<_> = taken[..41].iter().map(|nack| &nack.peer).collect();
        assert_eq!(first.len(), 41, "each client in turn");
    }

    #[test]
    fn dropped_nacks_of_a_client_without_any_are_counted() {
        let mut nacks = NackQueue::default();
        for stream in 0..MAX_WAITING as u64 + 7 {
            push(&mut nacks, &stream.to_string(), stream);
        }
        let taken = nacks.take();
        assert_eq!((taken.len(), taken.last().unwrap().suppressed), (MAX_WAITING, 7));
    }
}
