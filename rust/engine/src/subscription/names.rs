//! The tracked names of one subscription.
//!
//! Tracked are the names that the client subscribed to and, under a wildcard, those that it was sent. An index is valid
//! until its name is removed, and may then stand for another name: lists of indices are hints.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::tracked::{Coverage, Held, Recheck, Resend, Tracked};
use crate::store::Resource;

/// The tracked names with sums over them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    slots: Vec<Option<Tracked>>,
    free: Vec<u32>,
    /// Names to check against the store: queued or urgent.
    dirty: Vec<u32>,
    /// Names to check also while a response is open.
    urgent: Vec<u32>,
    /// The last change of names that were not sent since.
    changes: HashMap<u32, u64>,
    pass: u32,
    requested: usize,
    /// Bytes of the requested names.
    requested_bytes: usize,
    unanswered: usize,
    /// Sum of the fingerprints of all that the client holds: a version of the set that does not depend on its order.
    version: u64,
}

impl Names {
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        self.table
            .find(hash, |&index| self.slots[index as usize].as_ref().is_some_and(|t| &*t.name == name))
            .copied()
    }

    /// Track a name; `owned` makes the shared string if it is not tracked yet.
    pub(crate) fn track(&mut self, name: &str, owned: impl FnOnce() -> Arc<str>) -> u32 {
        let Names { hasher, table, slots, free, .. } = self;
        let hash_of = |index: &u32| hasher.hash_one(name_at(slots, *index));
        match table.entry(hasher.hash_one(name), |&index| name_at(slots, index) == name, hash_of) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let index = free.pop().unwrap_or(slots.len() as u32);
                entry.insert(index);
                let tracked = Tracked::new(owned());
                match slots.get_mut(index as usize) {
                    Some(slot) => *slot = Some(tracked),
                    None => slots.push(Some(tracked)),
                }
                index
            }
        }
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Tracked> {
        self.slots.get(index as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Tracked> {
        self.slots.get_mut(index as usize)?.as_mut()
    }

    /// Stop tracking a name. Returns the name and the resource that was kept for it.
    pub(crate) fn remove(&mut self, index: u32) -> Option<(Arc<str>, Option<Arc<Resource>>)> {
        self.set_held(index, Held::Nothing);
        self.set_coverage(index, Coverage::Covered);
        self.take_change(index);
        let tracked = self.slots[index as usize].take()?;
        let hash = self.hasher.hash_one(&*tracked.name);
        if let Ok(entry) = self.table.find_entry(hash, |&other| other == index) {
            entry.remove();
        }
        self.free.push(index);
        Some((tracked.name, tracked.resource))
    }

    /// Take out any name of a subscription that has ended. No other method may be called afterwards.
    pub(crate) fn pop(&mut self) -> Option<Tracked> {
        (self.table, self.free) = Default::default();
        (self.dirty, self.urgent) = Default::default();
        while let Some(slot) = self.slots.pop() {
            if slot.is_some() {
                return slot;
            }
        }
        None
    }

    pub(crate) fn set_held(&mut self, index: u32, held: Held) {
        let Some(tracked) = self.slots[index as usize].as_mut() else { return };
        for (held, sign) in [(tracked.held, u64::MAX), (held, 1)] {
            if let Held::Version(fingerprint) = held {
                self.version = self.version.wrapping_add(fingerprint.wrapping_mul(sign));
            }
        }
        tracked.held = held;
    }

    /// The client subscribes to a tracked name, or to a name that was only covered.
    pub(super) fn request(&mut self, index: u32) {
        if self.get(index).is_some_and(|tracked| tracked.coverage == Coverage::Covered) {
            self.set_coverage(index, Coverage::Requested);
        }
    }

    /// The client unsubscribes from a name that stays covered, or is about to be removed.
    pub(super) fn release(&mut self, index: u32) {
        self.set_coverage(index, Coverage::Covered);
    }

    /// Whether the store has no entry for a requested name yet.
    pub(crate) fn set_unanswered(&mut self, index: u32, unanswered: bool) {
        let coverage = if unanswered { Coverage::Unanswered } else { Coverage::Requested };
        if self.get(index).is_some_and(Tracked::requested) {
            self.set_coverage(index, coverage);
        }
    }

    fn set_coverage(&mut self, index: u32, coverage: Coverage) {
        let Some(tracked) = self.slots[index as usize].as_mut() else { return };
        let previous = std::mem::replace(&mut tracked.coverage, coverage);
        self.unanswered += usize::from(coverage == Coverage::Unanswered);
        self.unanswered -= usize::from(previous == Coverage::Unanswered);
        match (previous, coverage) {
            (Coverage::Covered, Coverage::Requested | Coverage::Unanswered) => {
                self.requested += 1;
                self.requested_bytes += tracked.name.len();
            }
            (Coverage::Requested | Coverage::Unanswered, Coverage::Covered) => {
                self.requested -= 1;
                self.requested_bytes -= tracked.name.len();
            }
            _ => {}
        }
    }

    /// A change of the name was published; 0: one that is not counted.
    pub(crate) fn note_change(&mut self, index: u32, change: u64) {
        if change > 0 {
            self.changes.insert(index, change);
        } else {
            self.take_change(index);
        }
    }

    /// The last change that was noted since the name was sent; 0: none.
    pub(crate) fn take_change(&mut self, index: u32) -> u64 {
        if self.changes.is_empty() { 0 } else { self.changes.remove(&index).unwrap_or(0) }
    }

    /// Check a name against the store with the next response: at once if it must be resent, otherwise when no response
    /// is open.
    pub(crate) fn mark_dirty(&mut self, index: u32) {
        let Some(tracked) = self.slots[index as usize].as_mut() else { return };
        if tracked.resend == Resend::Now {
            return self.mark_urgent(index);
        }
        if tracked.recheck == Recheck::None {
            tracked.recheck = Recheck::Queued;
            push_index(&mut self.dirty, &self.slots, index, |recheck| recheck != Recheck::None);
        }
    }

    /// Check a name against the store also while a response is open.
    pub(crate) fn mark_urgent(&mut self, index: u32) {
        let Some(tracked) = self.slots[index as usize].as_mut() else { return };
        if tracked.recheck != Recheck::Urgent {
            tracked.recheck = Recheck::Urgent;
            push_index(&mut self.urgent, &self.slots, index, |recheck| recheck == Recheck::Urgent);
        }
    }

    pub(crate) fn has_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.has_urgent()
    }

    pub(crate) fn has_urgent(&self) -> bool {
        !self.urgent.is_empty()
    }

    /// Call `visit` once for each name to check, or for the urgent ones alone; none of them is left.
    pub(crate) fn drain_dirty(&mut self, urgent_only: bool, mut visit: impl FnMut(&mut Names, u32)) {
        let mut lists = [std::mem::take(&mut self.urgent), Vec::new()];
        if !urgent_only {
            lists[1] = std::mem::take(&mut self.dirty);
        }
        for index in lists.iter_mut().flat_map(|list| list.drain(..)) {
            let Some(tracked) = self.slots.get_mut(index as usize).and_then(Option::as_mut) else { continue };
            let due = match tracked.recheck {
                Recheck::None => false,
                Recheck::Queued => !urgent_only,
                Recheck::Urgent => true,
            };
            if due {
                tracked.recheck = Recheck::None;
                visit(self, index);
            }
        }
        let [urgent, dirty] = lists;
        self.urgent = urgent;
        if !urgent_only {
            self.dirty = dirty;
        }
    }

    /// Start a pass over the names. Returns its number, which marks the names that it sees.
    pub(crate) fn begin_pass(&mut self) -> u32 {
        self.pass = self.pass.wrapping_add(1);
        if self.pass == 0 {
            // After 2^32 passes an old mark would look like a new one.
            self.slots.iter_mut().flatten().for_each(|tracked| tracked.pass = 0);
            self.pass = 1;
        }
        self.pass
    }

    /// The indices at this moment; names may be removed during the iteration.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.slots.len() as u32
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tracked> {
        self.slots.iter_mut().flatten()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tracked> {
        self.slots.iter().flatten()
    }

    /// Number of requested names.
    pub(crate) fn requested(&self) -> usize {
        self.requested
    }

    /// Bytes of the requested names.
    pub(crate) fn requested_bytes(&self) -> usize {
        self.requested_bytes
    }

    /// Number of requested names without an entry in the store (counted for full-state types only).
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Version of the set that the client holds.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }
}

/// Append to a list of the names whose state `belongs` to it.
fn push_index(list: &mut Vec<u32>, slots: &[Option<Tracked>], index: u32, belongs: impl Fn(Recheck) -> bool) {
    if list.len() <= 2 * slots.len() {
        return list.push(index);
    }
    // Names that were added and removed while a response was open left their indices behind.
    let is_listed = |index: &u32| slots[*index as usize].as_ref().is_some_and(|name| belongs(name.recheck));
    list.clear();
    list.extend((0..slots.len() as u32).filter(is_listed));
}

fn name_at(slots: &[Option<Tracked>], index: u32) -> &str {
    slots[index as usize].as_ref().map_or("", |tracked| &tracked.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fingerprint;

    fn track(names: &mut Names, name: &str) -> u32 {
        names.track(name, || name.into())
    }

    #[test]
    fn a_name_has_one_index_until_it_is_removed() {
        let mut names = Names::default();
        let indices: Vec<u32> = (0..1000).map(|n| track(&mut names, &n.to_string())).collect();
        assert_eq!(track(&mut names, "500"), indices[500]);
        names.remove(indices[500]);
        assert_eq!((names.find("500"), names.find("501")), (None, Some(indices[501])));
        assert_eq!(track(&mut names, "again"), indices[500], "the slot is used again");
        assert_eq!(names.iter().count(), 1000);
    }

    #[test]
    fn the_version_of_the_set_ignores_order_and_history() {
        let (mut left, mut right) = (Names::default(), Names::default());
        for (names, order) in [(&mut left, ["a", "b", "c"]), (&mut right, ["c", "b", "a"])] {
            for name in order {
                let index = track(names, name);
                names.set_held(index, Held::Version(7));
                names.set_held(index, Held::Version(fingerprint(name, 1)));
            }
        }
        assert_eq!(left.version(), right.version());
        let index = track(&mut left, "d");
        left.set_held(index, Held::Version(99));
        assert_ne!(left.version(), right.version());
        left.remove(index);
        assert_eq!(left.version(), right.version());
    }

    #[test]
    fn counts_follow_the_coverage() {
        let mut names = Names::default();
        let index = track(&mut names, "a");
        names.request(index);
        names.request(index);
        names.set_unanswered(index, true);
        assert_eq!((names.requested(), names.requested_bytes(), names.unanswered()), (1, 1, 1));
        names.remove(index);
        assert_eq!((names.requested(), names.requested_bytes(), names.unanswered()), (0, 0, 0));
    }

    #[test]
    fn a_dirty_name_is_visited_once() {
        let mut names = Names::default();
        let (a, b) = (track(&mut names, "a"), track(&mut names, "b"));
        for index in [a, b, a] {
            names.mark_dirty(index);
        }
        names.remove(b);
        let mut seen = Vec::new();
        names.drain_dirty(false, |_, index| seen.push(index));
        assert_eq!((seen, names.has_dirty()), (vec![a], false));
    }

    #[test]
    fn an_urgent_name_is_visited_first_and_once() {
        let mut names = Names::default();
        let [a, b, c] = ["a", "b", "c"].map(|name| track(&mut names, name));
        [a, b].into_iter().for_each(|index| names.mark_dirty(index));
        names.mark_urgent(b);
        names.get_mut(c).unwrap().resend = Resend::Now;
        names.mark_dirty(c);
        let mut seen = Vec::new();
        names.drain_dirty(true, |_, index| seen.push(index));
        assert_eq!((seen.as_slice(), names.has_urgent(), names.has_dirty()), (&[b, c][..], false, true));
        names.drain_dirty(false, |_, index| seen.push(index));
        assert_eq!((seen, names.has_dirty()), (vec![b, c, a], false));
    }

    #[test]
    fn removed_dirty_names_leave_no_indices() {
        let mut names = Names::default();
        let kept = track(&mut names, "kept");
        names.mark_dirty(kept);
        for round in 0..10_000 {
            let index = track(&mut names, &round.to_string());
            names.mark_dirty(index);
            names.remove(index);
        }
        assert!(names.dirty.len() < 10 && names.slots.len() < 10);
        let mut seen = 0;
        names.drain_dirty(false, |_, _| seen += 1);
        assert_eq!(seen, 1);
    }

    #[test]
    fn a_wrapped_pass_number_resets_the_marks() {
        let mut names = Names { pass: u32::MAX - 1, ..Names::default() };
        let index = track(&mut names, "a");
        names.get_mut(index).unwrap().pass = 1;
        assert_eq!((names.begin_pass(), names.begin_pass()), (u32::MAX, 1));
        assert_eq!(names.get(index).unwrap().pass, 0);
    }
}
