//! Which labels are subscribed to which names: the streams of a shard, summed up by label, type and name.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use steerway_engine::TypeId;

use crate::xds::group::{StateCounts, add_states, count_of};
use crate::xds::scan::{StreamFilter, scan};
use crate::xds::stream_handle::StreamHandle;
use crate::xds::streams::Streams;

/// The streams of one label that are subscribed to one name.
#[derive(Clone, Debug, Hash)]
pub struct Edge {
    /// The label; "": streams without one.
    pub label: Arc<str>,
    /// Type of the subscription.
    pub type_id: TypeId,
    /// The requested name, a glob collection, or [`steerway_engine::WILDCARD`].
    pub name: Arc<str>,
    /// Number of streams.
    pub streams: u64,
    /// By the state of the name.
    pub states: StateCounts,
    /// When the oldest stream was opened, on the clock of the server.
    pub opened: Duration,
}

/// The edges of one label.
#[derive(Clone, Debug)]
pub struct LabelEdges {
    /// The label; "": streams without one.
    pub label: Arc<str>,
    /// A hash of all fields of the edges.
    pub version: u64,
    /// By type and name.
    pub edges: Vec<Edge>,
}

/// What became of edges that a caller knows.
#[derive(Clone, Debug, Default)]
pub struct ChangedEdges {
    /// New and different ones, by label.
    pub changed: Vec<LabelEdges>,
    /// Labels that have none any more.
    pub gone: Vec<String>,
}

impl ChangedEdges {
    /// Compare `edges`, which are ordered by label, with the versions by label in `known`.
    pub(crate) fn new(edges: &[Edge], mut known: std::collections::HashMap<String, u64>) -> Self {
        let mut changed = Vec::new();
        for edges in edges.chunk_by(|left, right| left.label == right.label) {
            let mut hasher = DefaultHasher::new();
            edges.hash(&mut hasher);
            let version = hasher.finish();
            let Some(Edge { label, .. }) = edges.first() else { continue };
            if known.remove(&**label) != Some(version) {
                changed.push(LabelEdges { label: Arc::clone(label), version, edges: edges.to_vec() });
            }
        }
        Self { changed, gone: known.into_keys().collect() }
    }
}

/// The edges that a call wants.
#[derive(Clone, Debug, Default)]
pub struct EdgeFilter {
    /// Only streams with this label; "": without one.
    pub label: Option<Arc<str>>,
    /// Only these names, in their canonical spelling.
    pub names: Option<Arc<[Arc<str>]>>,
}

/// Edges by label, type and name.
#[derive(Debug, Default)]
pub(crate) struct Edges(HashMap<Arc<str>, [HashMap<Arc<str>, Edge>; TypeId::COUNT]>);

impl Edges {
    fn add(&mut self, part: Edge) {
        let edges = &mut self.0.entry_ref(&part.label).or_default()[part.type_id.index()];
        match edges.get_mut(&part.name) {
            Some(edge) => {
                edge.streams += part.streams;
                add_states(&mut edge.states, part.states);
                edge.opened = edge.opened.min(part.opened);
            }
            None => drop(edges.insert(Arc::clone(&part.name), part)),
        }
    }

    /// Add those of other streams.
    pub(crate) fn merge(mut self, other: Edges) -> Edges {
        other.0.into_values().flatten().flat_map(HashMap::into_values).for_each(|edge| self.add(edge));
        self
    }

    /// All edges, by label, type and name.
    pub(crate) fn into_sorted(self) -> Vec<Edge> {
        let mut labels: Vec<_> = self.0.into_iter().collect();
        labels.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let by_type = labels.into_iter().flat_map(|(_, by_type)| by_type);
        by_type
            .flat_map(|edges| {
                let mut edges: Vec<Edge> = edges.into_values().collect();
                edges.sort_unstable_by(|left, right| left.name.cmp(&right.name));
                edges
            })
            .collect()
    }
}

/// The edges of the shard's streams.
pub(crate) async fn edges(streams: Rc<Streams>, filter: EdgeFilter) -> Edges {
    let mut edges = Edges::default();
    let ids = filter.names.as_ref().map(|names| streams.subscribed_to(names));
    let wanted = StreamFilter { label: filter.label.clone(), ids, ..StreamFilter::default() };
    scan(&streams, &wanted, |stream: &StreamHandle| {
        let label = stream.label.borrow();
        let store = streams.shard.shared.store.read();
        stream.core.borrow().visit_names(&store, |type_id, name, state| {
            if filter.names.as_ref().is_none_or(|names| names.contains(name)) {
                edges.add(Edge {
                    label: Arc::clone(&label),
                    type_id,
                    name: Arc::clone(name),
                    streams: 1,
                    states: count_of(state),
                    opened: stream.opened,
                });
            }
        });
    })
    .await;
    edges
}
