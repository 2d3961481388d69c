//! The rows that a load report may have: localities and drop categories of the endpoint assignments of a cluster. All
//! other names count as `other`.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::locality::Locality;
use crate::protocol::TypeId;
use crate::store::Store;
use crate::wire::{Field, Fields, Malformed, Value, repeated, singular, text};

/// Replaces all names that are not served.
pub(crate) const OTHER: &str = "other";

/// `envoy.config.cluster.v3.Cluster`.
const LOAD_ASSIGNMENT: u32 = 33;

/// `envoy.config.endpoint.v3.ClusterLoadAssignment`.
const ENDPOINTS: u32 = 2;
const POLICY: u32 = 4;

/// `envoy.config.endpoint.v3.ClusterLoadAssignment.Policy`.
const DROP_OVERLOADS: u32 = 2;

/// `envoy.config.endpoint.v3.ClusterLoadAssignment.Policy.DropOverload`.
const CATEGORY: u32 = 1;

/// `envoy.config.endpoint.v3.LocalityLbEndpoints`.
const LOCALITY: u32 = 1;

/// The names of one cluster, over all audiences.
#[derive(Debug, Default)]
pub(crate) struct ClusterNames {
    assignments: HashSet<Arc<str>>,
    localities: HashSet<Locality>,
    categories: BTreeSet<Box<str>>,
}

impl ClusterNames {
    fn read(store: &Store, cluster: &str) -> ClusterNames {
        let mut served = ClusterNames::default();
        for resource in store.variants(TypeId::Cluster, cluster) {
            let value = resource.value();
            // A malformed resource has no rows of its own.
            let _ = repeated(&value, LOAD_ASSIGNMENT).try_for_each(|assignment| served.add(assignment?));
            let endpoints = resource.refs().iter().filter(|(type_id, _)| *type_id == TypeId::Endpoint);
            served.assignments.extend(endpoints.map(|(_, name)| Arc::clone(name)));
        }
        for name in served.assignments.clone() {
            for resource in store.variants(TypeId::Endpoint, &name) {
                let _ = served.add(&resource.value());
            }
        }
        served
    }

    fn add(&mut self, assignment: &[u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(assignment);
        while let Some(Field { number, value, .. }) = fields.next()? {
            match (number, value) {
                (ENDPOINTS, Value::Bytes(group)) => {
                    self.localities.insert(Locality::decode(first(group, LOCALITY)?)?);
                }
                (POLICY, Value::Bytes(policy)) => {
                    for overload in repeated(policy, DROP_OVERLOADS) {
                        let category = singular(overload?, CATEGORY)?.unwrap_or_default();
                        self.categories.insert(text(category)?.into());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The name of an assignment, or [`OTHER`] if the cluster does not have it. "": the client sends none.
    pub(crate) fn assignment<'a>(&self, name: &'a str) -> &'a str {
        if name.is_empty() || self.assignments.contains(name) { name } else { OTHER }
    }

    /// The locality, or [`OTHER`] if the cluster does not have it. Endpoints without a locality have an empty one.
    pub(crate) fn locality(&self, locality: Locality) -> Locality {
        if locality == Locality::default() || self.localities.contains(&locality) {
            return locality;
        }
        Locality { zone: OTHER.into(), ..Locality::default() }
    }

    /// The category, or [`OTHER`] if no assignment of the cluster has it. "": drops without category.
    pub(crate) fn category<'a>(&self, category: &'a str) -> &'a str {
        if category.is_empty() || self.categories.contains(category) { category } else { OTHER }
    }
}

/// The first field with this number: in a group of endpoints, thousands of others follow it.
fn first(message: &[u8], wanted: u32) -> Result<&[u8], Malformed> {
    repeated(message, wanted).next().unwrap_or(Ok(&[]))
}

/// The names of all reported clusters, read once for each revision of the store.
#[derive(Debug, Default)]
pub(crate) struct ServedClusters {
    revision: u64,
    clusters: HashMap<Arc<str>, Arc<ClusterNames>>,
}

impl ServedClusters {
    /// The names of a cluster; `None` when the cluster is not served.
    pub(crate) fn find(&mut self, store: &Store, cluster: &str) -> Option<(Arc<str>, Arc<ClusterNames>)> {
        if self.revision != store.revision() {
            self.clusters.clear();
            self.revision = store.revision();
        }
        if let Some((name, served)) = self.clusters.get_key_value(cluster) {
            return Some((Arc::clone(name), Arc::clone(served)));
        }
        let name = store.served_name(TypeId::Cluster, cluster)?;
        let served = Arc::new(ClusterNames::read(store, name));
        self.clusters.insert(Arc::clone(name), Arc::clone(&served));
        Some((Arc::clone(name), served))
    }
}
