//! Resources that a client may still use after they were replaced or removed.
//!
//! A client that accepts a resource switches to it when it has all that the resource names: the routes of a listener,
//! their clusters, the endpoints of those (gRFC A74; Envoy warms listeners and clusters). Until then it uses the
//! replaced resource and all that this one names, even names that it has unsubscribed, such as the old routes of a
//! listener.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use crate::protocol::TypeId;
use crate::store::Resource;
use crate::subscription::Names;

/// Progress of the client with the replacement of a resource.
///
/// ```text
///    replaced or removed ──▶ Unaccepted ──ACK──▶ Accepted ──client has switched to the replacement──▶ Indirect
///                              │    ▲                │                                                  │
///                              └NACK┘                └────── deadline ──▶ dropped ◀─ no user, deadline ─┘
///    unsubscribed ──▶ Indirect
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The client has not accepted the response that replaces or removes it.
    Unaccepted {
        /// Nonce of the response.
        replaced_in: u64,
        /// The client rejected the response and keeps this resource.
        nacked: bool,
    },
    /// The response was accepted. The client may lack names of the replacement, or of the resources that it is a part
    /// of, until this deadline.
    Accepted(Duration),
    /// The client has switched to the replacement, or unsubscribed the name. It may use the resource only as a part
    /// of other retiring resources, until this deadline.
    Indirect(Duration),
}

#[derive(Debug)]
struct RetiringResource {
    resource: Arc<Resource>,
    stage: Stage,
}

/// Retiring resources of one type on one stream, by name. A name has one unaccepted resource for each open response
/// that changed it, oldest first; a response that the client rejected replaced nothing.
#[derive(Debug, Default)]
pub(crate) struct Retiring {
    resources: HashMap<Arc<str>, SmallVec<[RetiringResource; 1]>>,
    /// Some resources are past [`Stage::Unaccepted`].
    expirable: bool,
}

impl Retiring {
    /// The response `nonce` replaces or removes the resource of a name.
    pub(crate) fn add(&mut self, name: &Arc<str>, replaced: Option<Arc<Resource>>, nonce: u64) {
        let stage = Stage::Unaccepted { replaced_in: nonce, nacked: false };
        let resources = self.resources.get_mut(name).into_iter().flatten();
        let last = resources.filter(|retiring| retiring.is_unaccepted()).last();
        match (last, replaced) {
            // The client rejected `replaced`: it still has the resource that it was to replace.
            (Some(RetiringResource { stage: last @ Stage::Unaccepted { nacked: true, .. }, .. }), _) => {
                *last = stage
            }
            (_, Some(resource)) => {
                self.resources.entry_ref(name).or_default().push(RetiringResource { resource, stage });
            }
            (_, None) => {}
        }
    }

    /// The client accepted the response, and all before it that it has not rejected; `whole`: the rejected ones, too,
    /// because the response carries all that they did. `names` has the resources that were sent last. Replaced
    /// resources are in use until `until` or [`Retiring::release`].
    pub(crate) fn accept(&mut self, nonce: u64, whole: bool, until: Duration, names: &Names) {
        let accepts = |retiring: &RetiringResource| {
            matches!(retiring.stage, Stage::Unaccepted { replaced_in, nacked }
                if replaced_in <= nonce && (whole || !nacked))
        };
        let mut expirable = self.expirable;
        self.resources.retain(|name, resources| {
            if !resources.iter().any(accepts) {
                return true;
            }
            let (replaced, others): (SmallVec<[RetiringResource; 1]>, _) =
                std::mem::take(resources).into_iter().partition(accepts);
            *resources = others;
            let current = resources.iter().find(|retiring| retiring.is_unaccepted());
            let current = current.map(|retiring| Arc::clone(&retiring.resource));
            let current =
                current.or_else(|| names.find(name).and_then(|index| names.get(index)?.resource.clone()));
            for RetiringResource { resource, .. } in replaced {
                // It is in use as long as any other, for all that they name.
                resources.retain(|retiring| {
                    retiring.is_unaccepted() || !references_all_of(&resource, &retiring.resource)
                });
                if !current.as_ref().is_some_and(|current| keeps_assignments_of(current, &resource)) {
                    expirable = true;
                    resources.push(RetiringResource { resource, stage: Stage::Accepted(until) });
                }
            }
            !resources.is_empty()
        });
        self.expirable = expirable;
    }

    /// The client rejected the response, and accepted those before it.
    pub(crate) fn reject(&mut self, nonce: u64, until: Duration, names: &Names) {
        self.accept(nonce - 1, false, until, names);
        for resources in self.resources.values_mut() {
            let replaced_in = |retiring: &RetiringResource| match retiring.stage {
                Stage::Unaccepted { replaced_in, .. } => Some(replaced_in),
                Stage::Accepted(_) | Stage::Indirect(_) => None,
            };
            let Some(position) = resources.iter().position(|retiring| replaced_in(retiring) == Some(nonce))
            else {
                continue;
            };
            // The rejected resource was never used: its own replacement replaces this one.
            let next = (position + 1..resources.len()).find(|&next| resources[next].is_unaccepted());
            let later = next.and_then(|next| replaced_in(&resources.remove(next)));
            resources[position].stage =
                Stage::Unaccepted { replaced_in: later.unwrap_or(nonce), nacked: later.is_none() };
        }
    }

    /// The client unsubscribed from a name of which it has `held`: in use until `until` at most.
    pub(crate) fn unsubscribe(&mut self, name: &Arc<str>, held: Option<Arc<Resource>>, until: Duration) {
        let mut resources = self.resources.remove(name).unwrap_or_default();
        resources.iter_mut().for_each(|retiring| retiring.stage = Stage::Indirect(until));
        if let Some(resource) = held {
            resources.retain(|retiring| !references_all_of(&resource, &retiring.resource));
            resources.push(RetiringResource { resource, stage: Stage::Indirect(until) });
        }
        if !resources.is_empty() {
            self.expirable = true;
            self.resources.insert(Arc::clone(name), resources);
        }
    }

    /// Whether [`Retiring::accepted`] or [`Retiring::indirect_names`] are not empty.
    pub(crate) fn is_expirable(&self) -> bool {
        self.expirable
    }

    /// Resources that the client may use by themselves.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = &Resource> {
        let all = self.resources.values().flatten();
        all.filter(|retiring| !matches!(retiring.stage, Stage::Indirect(_)))
            .map(|retiring| &*retiring.resource)
    }

    /// Resources that the client may use under a name as a part of others.
    pub(crate) fn indirect(&self, name: &str) -> impl Iterator<Item = &Resource> {
        let resources = self.resources.get(name).into_iter().flatten();
        resources
            .filter(|retiring| matches!(retiring.stage, Stage::Indirect(_)))
            .map(|retiring| &*retiring.resource)
    }

    /// Names for which [`Retiring::indirect`] is not empty.
    pub(crate) fn indirect_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names_at(|stage| matches!(stage, Stage::Indirect(_)))
    }

    /// Names of which the client accepted a replacement.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names_at(|stage| matches!(stage, Stage::Accepted(_)))
    }

    fn names_at(&self, is: impl Fn(Stage) -> bool) -> impl Iterator<Item = &Arc<str>> {
        let at = move |resources: &[RetiringResource]| resources.iter().any(|retiring| is(retiring.stage));
        self.resources.iter().filter(move |(_, resources)| at(resources)).map(|(name, _)| name)
    }

    /// The resource that the client has under the name, if a response that it has not accepted replaces it.
    pub(crate) fn unaccepted(&self, name: &str) -> Option<&Resource> {
        let mut resources = self.resources.get(name)?.iter();
        let retiring = resources.find(|retiring| retiring.is_unaccepted())?;
        Some(&retiring.resource)
    }

    /// The deadline of each resource of which the replacement was accepted.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Duration> + '_ {
        let resources = self.expirable.then(|| self.resources.values().flatten()).into_iter().flatten();
        resources.filter_map(|retiring| match retiring.stage {
            Stage::Accepted(until) | Stage::Indirect(until) => Some(until),
            Stage::Unaccepted { .. } => None,
        })
    }

    /// The client has switched to the replacement of `name`.
    pub(crate) fn release(&mut self, name: &str) {
        for retiring in self.resources.get_mut(name).into_iter().flatten() {
            if let Stage::Accepted(until) = retiring.stage {
                retiring.stage = Stage::Indirect(until);
            }
        }
    }

    /// No other retiring resource names it.
    pub(crate) fn forget_indirect(&mut self, name: &str) {
        if let Some(resources) = self.resources.get_mut(name) {
            resources.retain(|retiring| !matches!(retiring.stage, Stage::Indirect(_)));
            if resources.is_empty() {
                self.resources.remove(name);
            }
        }
        self.expirable = self.resources.values().flatten().any(RetiringResource::is_expirable);
    }

    /// Drop the resources that have reached their deadline.
    pub(crate) fn expire(&mut self, now: Duration) {
        if self.expirable {
            self.resources.retain(|_, resources| {
                resources.retain(|retiring| match retiring.stage {
                    Stage::Accepted(until) | Stage::Indirect(until) => until > now,
                    Stage::Unaccepted { .. } => true,
                });
                !resources.is_empty()
            });
            self.expirable = self.resources.values().flatten().any(RetiringResource::is_expirable);
        }
    }
}

impl RetiringResource {
    fn is_unaccepted(&self) -> bool {
        matches!(self.stage, Stage::Unaccepted { .. })
    }

    fn is_expirable(&self) -> bool {
        !self.is_unaccepted()
    }
}

/// Whether `resource` names all that `other` does.
fn references_all_of(resource: &Resource, other: &Resource) -> bool {
    if resource.refs() == other.refs() {
        return true;
    }
    let named: HashSet<_> = resource.refs().iter().collect();
    other.refs().iter().all(|reference| named.contains(reference))
}

/// Whether `replaced` names only endpoint assignments that `current` names, too: it need not be kept for them. A
/// resource with other references may use retiring ones.
fn keeps_assignments_of(current: &Resource, replaced: &Resource) -> bool {
    let assignments =
        |resource: &Resource| resource.refs().iter().all(|(type_id, _)| *type_id == TypeId::Endpoint);
    assignments(replaced) && references_all_of(current, replaced)
}
