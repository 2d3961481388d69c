//! The ids of changes of the cluster, by which deliveries are counted.

use smallvec::SmallVec;

/// Changes of one response that are counted: the newest.
const MAX_CHANGES: usize = 16;

/// A set of changes, ascending: normally one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes(SmallVec<[u64; 1]>);

impl Changes {
    /// Add a change; 0 is none.
    pub(crate) fn insert(&mut self, change: u64) {
        if change == 0 || self.0.last() == Some(&change) {
            return;
        }
        if let Err(position) = self.0.binary_search(&change) {
            self.0.insert(position, change);
            if self.0.len() > MAX_CHANGES {
                self.0.remove(0);
            }
        }
    }

    /// The newest of them; 0: none.
    pub(crate) fn newest(&self) -> u64 {
        self.0.last().copied().unwrap_or(0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let mut changes = Changes::default();
        assert_eq!(changes.newest(), 0);
        [3, 0, 3, 1, 2].into_iter().for_each(|change| changes.insert(change));
        assert_eq!((changes.iter().collect::<Vec<_>>(), changes.newest()), (vec![1, 2, 3], 3));
        (1..=100).for_each(|change| changes.insert(change));
        assert_eq!(changes.iter().collect::<Vec<_>>(), (85..=100).collect::<Vec<_>>());
    }
}
