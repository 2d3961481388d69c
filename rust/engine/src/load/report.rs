//! Sums of load reports (LRS), read in place.
//!
//! A report is the difference to the previous one. Only reports of clusters in the store count, and each cluster has a
//! row for each locality and drop category of its assignments. All other names share one row, `other`: invented names
//! fill neither the memory nor the metrics, and displace no row of another client.
//!
//! Not supported: the named metrics of gRFC A85 (no Cluster requests them) and the load of single endpoints (never
//! requested, as in gRPC).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::locality::Locality;
use super::served::ServedClusters;
use crate::protocol::{Status, node_id};
use crate::store::Store;
use crate::wire::{Field, Fields, Malformed, Value, repeated, singular, text};

/// With more rows over all clusters, those of names that are no longer served are dropped.
const MANY_ROWS: usize = 20_000;

/// Maximum of a count in one report: a larger number is invalid, and must not overflow a sum.
const MAX_COUNT: u64 = u32::MAX as u64;

/// Minimum time between two searches for rows to drop.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// `envoy.service.load_stats.v3.LoadStatsRequest`.
const NODE: u32 = 1;
const CLUSTER_STATS: u32 = 2;

/// `envoy.config.endpoint.v3.ClusterStats`.
const CLUSTER_NAME: u32 = 1;
const LOCALITY_STATS: u32 = 2;
const TOTAL_DROPPED: u32 = 3;
const DROPPED: u32 = 5;
const CLUSTER_SERVICE_NAME: u32 = 6;

/// `envoy.config.endpoint.v3.UpstreamLocalityStats`.
const LOCALITY: u32 = 1;
const SUCCESSFUL: u32 = 2;
const IN_PROGRESS: u32 = 3;
const ERRORS: u32 = 4;
const ISSUED: u32 = 8;

/// `envoy.config.endpoint.v3.ClusterStats.DroppedRequests`.
const CATEGORY: u32 = 1;
const DROPPED_COUNT: u32 = 2;

/// Requests of all clients to one locality since the start of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalityLoad {
    /// Started requests.
    pub issued: u64,
    /// Successful requests.
    pub successful: u64,
    /// Failed requests.
    pub errors: u64,
    /// Requests in progress, by the last report of each client that still reports.
    pub in_progress: u64,
}

/// The load of one cluster with one assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterLoad {
    /// By locality.
    pub localities: BTreeMap<Locality, LocalityLoad>,
    /// Requests that clients dropped, by category; "": without category, such as by a circuit breaker.
    pub dropped: BTreeMap<Box<str>, u64>,
}

/// `cluster_name` and `cluster_service_name` (the name of its assignment; "" when the client gives none).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct LoadKey {
    cluster: Arc<str>,
    service: Box<str>,
}

/// One client's stream of reports.
#[derive(Debug, Default)]
pub struct Reporter {
    /// The part of this client in the gauges.
    in_progress: HashMap<(LoadKey, Locality), u64>,
    known: bool,
}

/// Sums of the reports of all clients.
#[derive(Debug, Default)]
pub struct Loads {
    clusters: HashMap<LoadKey, ClusterLoad>,
    rows: usize,
    served: ServedClusters,
    reporters: u64,
    reports: u64,
    ignored: u64,
    pruned: Option<Duration>,
}

/// The `node` of the first message of a stream; an error ends the stream.
pub fn first_report_node(message: &[u8]) -> Result<&[u8], Status> {
    let node = singular(message, NODE)?;
    // "Node identifier … only the first message on the stream must contain it", as in discovery.
    node_id(node)?;
    Ok(node.unwrap_or_default())
}

impl Loads {
    /// Add one report. `store` has the clusters that count; an error ends the stream and changes nothing.
    pub fn record(
        &mut self,
        reporter: &mut Reporter,
        message: &[u8],
        store: &Store,
        now: Duration,
    ) -> Result<(), Status> {
        check(message)?;
        self.prune(store, now);
        self.reports += 1;
        if !std::mem::replace(&mut reporter.known, true) {
            self.reporters += 1;
        }
        // A report is complete: a locality that it does not name has no request in progress.
        self.clear_in_progress(reporter);
        for stats in repeated(message, CLUSTER_STATS) {
            self.take_cluster(reporter, stats?, store)?;
        }
        Ok(())
    }

    /// The stream of the client has ended.
    pub fn remove_reporter(&mut self, reporter: &mut Reporter) {
        self.clear_in_progress(reporter);
        if std::mem::take(&mut reporter.known) {
            self.reporters -= 1;
        }
    }

    /// The load of each cluster and the name of its assignment, in no particular order.
    pub fn clusters(&self) -> impl Iterator<Item = (&Arc<str>, &str, &ClusterLoad)> {
        self.clusters.iter().map(|(key, load)| (&key.cluster, &*key.service, load))
    }

    /// Number of clients that report.
    pub fn reporters(&self) -> u64 {
        self.reporters
    }

    /// Number of reports.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// Number of rows in reports that did not count: of clusters that are not served.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Subtract the requests in progress of the last report of the client.
    fn clear_in_progress(&mut self, reporter: &mut Reporter) {
        for ((key, locality), count) in reporter.in_progress.drain() {
            let load = self.clusters.get_mut(&key).and_then(|load| load.localities.get_mut(&locality));
            if let Some(load) = load {
                load.in_progress = load.in_progress.saturating_sub(count);
            }
        }
    }

    fn take_cluster(
        &mut self,
        reporter: &mut Reporter,
        stats: &[u8],
        store: &Store,
    ) -> Result<(), Malformed> {
        let name = text(singular(stats, CLUSTER_NAME)?.unwrap_or_default())?;
        let service = text(singular(stats, CLUSTER_SERVICE_NAME)?.unwrap_or_default())?;
        let drops = drops(stats)?;
        let Some((cluster, served)) = self.served.find(store, name) else {
            self.ignored += (repeated(stats, LOCALITY_STATS).count() + drops.len()) as u64;
            return Ok(());
        };
        let key = LoadKey { cluster, service: served.assignment(service).into() };
        for stats in repeated(stats, LOCALITY_STATS) {
            let (locality, load) = locality_load(stats?)?;
            // An existing row was served before: its last requests may end later.
            let is_row = self.clusters.get(&key).is_some_and(|load| load.localities.contains_key(&locality));
            let locality = if is_row { locality } else { served.locality(locality) };
            self.add_locality(&key, &locality, load);
            if load.in_progress > 0 {
                *reporter.in_progress.entry((key.clone(), locality)).or_default() += load.in_progress;
            }
        }
        for (category, count) in drops {
            self.add_drops(&key, served.category(category), count);
        }
        Ok(())
    }

    fn add_locality(&mut self, key: &LoadKey, locality: &Locality, load: LocalityLoad) {
        let localities = &mut self.clusters.entry_ref(key).or_default().localities;
        if !localities.contains_key(locality) {
            localities.insert(locality.clone(), LocalityLoad::default());
            self.rows += 1;
        }
        if let Some(sums) = localities.get_mut(locality) {
            sums.issued += load.issued;
            sums.successful += load.successful;
            sums.errors += load.errors;
            sums.in_progress += load.in_progress;
        }
    }

    fn add_drops(&mut self, key: &LoadKey, category: &str, count: u64) {
        let dropped = &mut self.clusters.entry_ref(key).or_default().dropped;
        if let Some(sum) = dropped.get_mut(category) {
            *sum += count;
        } else {
            dropped.insert(category.into(), count);
            self.rows += 1;
        }
    }

    /// With many rows, and at intervals, drop those of names that are no longer served and have no request in progress.
    fn prune(&mut self, store: &Store, now: Duration) {
        let due = self.pruned.is_none_or(|pruned| now.saturating_sub(pruned) >= PRUNE_INTERVAL);
        if self.rows <= MANY_ROWS || !due {
            return;
        }
        self.pruned = Some(now);
        self.rows = 0;
        let (rows, known) = (&mut self.rows, &mut self.served);
        self.clusters.retain(|key, load| {
            let served = known.find(store, &key.cluster).map(|(_, served)| served);
            let is_served = |locality: &Locality| {
                served.as_ref().is_some_and(|served| served.locality(locality.clone()) == *locality)
            };
            load.localities.retain(|locality, load| load.in_progress > 0 || is_served(locality));
            load.dropped.retain(|category, _| {
                served.as_ref().is_some_and(|served| served.category(category) == &**category)
            });
            *rows += load.localities.len() + load.dropped.len();
            !(load.localities.is_empty() && load.dropped.is_empty())
        });
    }
}

/// Whether the whole message is valid: a malformed report must not count in part.
fn check(message: &[u8]) -> Result<(), Malformed> {
    for stats in repeated(message, CLUSTER_STATS) {
        let stats = stats?;
        text(singular(stats, CLUSTER_NAME)?.unwrap_or_default())?;
        text(singular(stats, CLUSTER_SERVICE_NAME)?.unwrap_or_default())?;
        drops(stats)?;
        repeated(stats, LOCALITY_STATS).try_for_each(|stats| locality_load(stats?).map(drop))?;
    }
    singular(message, NODE).map(drop)
}

fn locality_load(stats: &[u8]) -> Result<(Locality, LocalityLoad), Malformed> {
    let (mut locality, mut load) = (&[][..], LocalityLoad::default());
    let mut fields = Fields::new(stats);
    while let Some(Field { number, value, .. }) = fields.next()? {
        match (number, value) {
            (LOCALITY, Value::Bytes(bytes)) => locality = bytes,
            (SUCCESSFUL, Value::Varint(count)) => load.successful = count.min(MAX_COUNT),
            (IN_PROGRESS, Value::Varint(count)) => load.in_progress = count.min(MAX_COUNT),
            (ERRORS, Value::Varint(count)) => load.errors = count.min(MAX_COUNT),
            (ISSUED, Value::Varint(count)) => load.issued = count.min(MAX_COUNT),
            _ => {}
        }
    }
    Ok((Locality::decode(locality)?, load))
}

/// Dropped requests by category. If the total is higher, the others have no category: they count under "".
fn drops(stats: &[u8]) -> Result<Vec<(&str, u64)>, Malformed> {
    let mut categories: Vec<(&str, u64)> = Vec::new();
    let (mut total, mut named) = (0, 0);
    let mut fields = Fields::new(stats);
    while let Some(Field { number, value, .. }) = fields.next()? {
        match (number, value) {
            (TOTAL_DROPPED, Value::Varint(count)) => total = count.min(MAX_COUNT),
            (DROPPED, Value::Bytes(drop)) => {
                let count = count(drop, DROPPED_COUNT)?;
                named += count;
                categories.push((text(singular(drop, CATEGORY)?.unwrap_or_default())?, count));
            }
            _ => {}
        }
    }
    if total > named {
        categories.push(("", total - named));
    }
    Ok(categories)
}

/// A singular number; 0 when it is missing.
fn count(message: &[u8], wanted: u32) -> Result<u64, Malformed> {
    let mut last = 0;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if let Field { number, value: Value::Varint(count), .. } = field
            && number == wanted
        {
            last = count.min(MAX_COUNT);
        }
    }
    Ok(last)
}
