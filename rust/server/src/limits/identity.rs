//! The number of connections per identity.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use crate::sync::Mutex;

/// Connections by the identity that their clients proved.
pub(crate) struct IdentityConnections {
    /// Per identity; `None`: no limit.
    limit: Option<usize>,
    counts: Mutex<HashMap<Arc<str>, usize>>,
}

/// Counts a connection for an identity, as long as one of its streams holds this.
pub(crate) struct CountedConnection {
    identities: Arc<IdentityConnections>,
    identity: Arc<str>,
}

/// The identities of one connection: a proxy may forward the streams of several clients.
#[derive(Default)]
pub(crate) struct ConnectionIdentities(RefCell<Vec<Weak<CountedConnection>>>);

impl IdentityConnections {
    /// `limit` connections per identity; 0 is no limit.
    pub(crate) fn new(limit: usize) -> Arc<IdentityConnections> {
        Arc::new(IdentityConnections {
            limit: Some(limit).filter(|limit| *limit > 0),
            counts: Mutex::default(),
        })
    }

    /// Connections that an identity may have.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.limit
    }

    fn count(self: &Arc<IdentityConnections>, identity: &Arc<str>) -> Option<CountedConnection> {
        let mut counts = self.counts.lock();
        let count = counts.entry(Arc::clone(identity)).or_default();
        if self.limit.is_some_and(|limit| *count >= limit) {
            return None;
        }
        *count += 1;
        Some(CountedConnection { identities: Arc::clone(self), identity: Arc::clone(identity) })
    }
}

impl ConnectionIdentities {
    /// A stream of the connection has this identity. `None`: the identity has reached its limit.
    pub(crate) fn add(
        &self,
        identities: &Arc<IdentityConnections>,
        identity: &Arc<str>,
    ) -> Option<Rc<CountedConnection>> {
        let mut known = self.0.borrow_mut();
        known.retain(|counted| counted.strong_count() > 0);
        let same = known.iter().filter_map(Weak::upgrade).find(|counted| counted.identity == *identity);
        if same.is_some() {
            return same;
        }
        let counted = Rc::new(identities.count(identity)?);
        known.push(Rc::downgrade(&counted));
        Some(counted)
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let mut counts = self.identities.counts.lock();
        if let Some(count) = counts.get_mut(&self.identity) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.identity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_and_not_their_streams() {
        let identities = IdentityConnections::new(2);
        let (first, second, third) = (
            ConnectionIdentities::default(),
            ConnectionIdentities::default(),
            ConnectionIdentities::default(),
        );
        let (shop, bank) = ("shop".into(), "bank".into());
        let streams: Vec<_> = (0..3).map(|_| first.add(&identities, &shop).unwrap()).collect();
        let other = second.add(&identities, &shop).unwrap();
        assert!(third.add(&identities, &shop).is_none());
        assert!(third.add(&identities, &bank).is_some(), "others have their own");
        drop(streams);
        let moved = third.add(&identities, &shop);
        assert!(moved.is_some(), "the first connection has no stream of it any more");
        assert!(first.add(&identities, &shop).is_none());
        drop((other, moved));
        assert_eq!(identities.counts.lock().len(), 0);
        assert!(first.add(&identities, &shop).is_some());
        assert_eq!(identities.counts.lock().len(), 0, "nothing is kept of those that are gone");
    }

    #[test]
    fn without_a_limit_every_connection_is_accepted() {
        let identities = IdentityConnections::new(0);
        let connections: Vec<_> = (0..100).map(|_| ConnectionIdentities::default()).collect();
        let counted: Vec<_> =
            connections.iter().map(|connection| connection.add(&identities, &"shop".into())).collect();
        assert!(counted.iter().all(Option::is_some));
    }
}
