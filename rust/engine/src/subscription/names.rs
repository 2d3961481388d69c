//! The names one subscription tracks, and what the client holds of each.
//!
//! Tracked are the names that the client asked for and, under a wildcard, those it was sent. Indices stay valid until
//! their name is removed; an index that outlived its name may meet another one, so lists of indices are only hints.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::store::Resource;

/// What the client holds of a name, as far as this stream knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Held {
    /// It was told nothing.
    #[default]
    Nothing,
    /// It was told that there is none (delta).
    Gone,
    /// Something that this server did not send in its present form (delta, `initial_resource_versions`).
    Other,
    /// The version with this fingerprint.
    Version(u64),
}

/// One tracked name.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) name: Arc<str>,
    held: Held,
    /// What it holds, for resources whose references or bytes are needed as long as it holds them.
    pub(crate) resource: Option<Arc<Resource>>,
    /// The last response that brought it anew, changed or removed.
    pub(crate) sent_in: u64,
    /// When that was, in whole seconds of the stream's clock.
    sent_at: u32,
    /// The last response that brought it when the client held nothing of the name.
    pub(crate) introduced_in: u64,
    /// The last pass that met it ([`Names::begin_pass`]).
    pub(crate) pass: u32,
    /// Asked for by name (otherwise only covered by the wildcard).
    requested: bool,
    /// Asked for by name, and nobody has answered yet (full-state types).
    unanswered: bool,
    /// Waits in the list of names to look at again.
    dirty: bool,
    /// Waits in the list of those that an open response does not hold up.
    urgent: bool,
    /// To be sent even if the client holds the present version.
    pub(crate) resend: bool,
    /// Missing from a request with an old nonce: if it is listed again, the client dropped it in between.
    pub(crate) dropped_by_client: bool,
    /// The client refused the response that brought it last.
    pub(crate) nacked: bool,
    /// The client has none although it was sent: it refused the first version or dropped the name for a moment, and has
    /// accepted none since.
    pub(crate) lacking: bool,
    /// Its cluster was sent again: a repeated request means that the client waits for it.
    pub(crate) warming: bool,
}

impl Tracked {
    pub(crate) fn held(&self) -> Held {
        self.held
    }

    pub(crate) fn requested(&self) -> bool {
        self.requested
    }

    /// A response brings it anew, changed or removed.
    pub(crate) fn mark_sent(&mut self, nonce: u64, now: Duration) {
        (self.sent_in, self.sent_at) = (nonce, now.as_secs() as u32);
        (self.nacked, self.dropped_by_client) = (false, false);
    }

    /// When it was last sent, in whole seconds; `None`: never.
    pub(crate) fn sent_at(&self) -> Option<Duration> {
        (self.sent_in > 0).then(|| Duration::from_secs(self.sent_at.into()))
    }

    /// Whether the client holds a resource of this name.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.held, Held::Version(_) | Held::Other)
    }
}

/// The tracked names with what is summed up over them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    slots: Vec<Option<Tracked>>,
    free: Vec<u32>,
    /// Names to look at again.
    dirty: Vec<u32>,
    /// Those of them that are new demand.
    urgent: Vec<u32>,
    pass: u32,
    requested: usize,
    /// Bytes of the names asked for.
    requested_bytes: usize,
    unanswered: usize,
    /// Sum of the fingerprints of all that the client holds: an order-free version of the whole.
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
                let tracked = Tracked {
                    name: owned(),
                    held: Held::Nothing,
                    resource: None,
                    sent_in: 0,
                    sent_at: 0,
                    introduced_in: 0,
                    pass: 0,
                    requested: false,
                    unanswered: false,
                    dirty: false,
                    urgent: false,
                    resend: false,
                    dropped_by_client: false,
                    nacked: false,
                    lacking: false,
                    warming: false,
                };
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

    /// Stop tracking a name. Returns what was kept of it.
    pub(crate) fn remove(&mut self, index: u32) -> Option<(Arc<str>, Option<Arc<Resource>>)> {
        self.set_held(index, Held::Nothing);
        self.set_unanswered(index, false);
        self.set_requested(index, false);
        let tracked = self.slots[index as usize].take()?;
        let hash = self.hasher.hash_one(&*tracked.name);
        if let Ok(entry) = self.table.find_entry(hash, |&found| found == index) {
            entry.remove();
        }
        self.free.push(index);
        Some((tracked.name, tracked.resource))
    }

    /// Take out any name, of a subscription that ends: nothing else may be done with what is left.
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

    pub(crate) fn set_requested(&mut self, index: u32, requested: bool) {
        let Some(tracked) = self.slots[index as usize].as_mut() else { return };
        if tracked.requested == requested {
            return;
        }
        tracked.requested = requested;
        if requested {
            self.requested += 1;
            self.requested_bytes += tracked.name.len();
        } else {
            self.requested -= 1;
            self.requested_bytes -= tracked.name.len();
        }
    }

    pub(crate) fn set_unanswered(&mut self, index: u32, unanswered: bool) {
        let Some(tracked) = self.slots[index as usize].as_mut() else { return };
        self.unanswered = self.unanswered + usize::from(unanswered) - usize::from(tracked.unanswered);
        tracked.unanswered = unanswered;
    }

    /// Have a name looked at again: as soon as an answer may go out, or at once while an answer is owed for it.
    pub(crate) fn mark_dirty(&mut self, index: u32) {
        let Some(tracked) = self.slots[index as usize].as_mut() else { return };
        if tracked.resend {
            return self.mark_urgent(index);
        }
        if !std::mem::replace(&mut tracked.dirty, true) {
            enlist(&mut self.dirty, &self.slots, index, |tracked| tracked.dirty);
        }
    }

    /// Have a name looked at again whatever is open.
    pub(crate) fn mark_urgent(&mut self, index: u32) {
        let Some(tracked) = self.slots[index as usize].as_mut() else { return };
        tracked.dirty = true;
        if !std::mem::replace(&mut tracked.urgent, true) {
            enlist(&mut self.urgent, &self.slots, index, |tracked| tracked.urgent);
        }
    }

    pub(crate) fn has_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.has_urgent()
    }

    pub(crate) fn has_urgent(&self) -> bool {
        !self.urgent.is_empty()
    }

    /// Call `look` once for each name to look at again, or for the pressing ones alone; afterwards there are none.
    pub(crate) fn drain_dirty(&mut self, urgent: bool, mut look: impl FnMut(&mut Names, u32)) {
        let mut lists = [std::mem::take(&mut self.urgent), Vec::new()];
        if !urgent {
            lists[1] = std::mem::take(&mut self.dirty);
        }
        for index in lists.iter_mut().flat_map(|list| list.drain(..)) {
            let Some(tracked) = self.slots.get_mut(index as usize).and_then(Option::as_mut) else { continue };
            let due = std::mem::take(&mut tracked.urgent) || !urgent;
            if due && std::mem::take(&mut tracked.dirty) {
                look(self, index);
            }
        }
        let [pressed, dirty] = lists;
        self.urgent = pressed;
        if !urgent {
            self.dirty = dirty;
        }
    }

    /// A number that marks the names met from now on.
    pub(crate) fn begin_pass(&mut self) -> u32 {
        self.pass = self.pass.wrapping_add(1);
        if self.pass == 0 {
            // After 2^32 passes old marks could be taken for new ones.
            self.slots.iter_mut().flatten().for_each(|tracked| tracked.pass = 0);
            self.pass = 1;
        }
        self.pass
    }

    /// Indices at this moment; names may be removed on the way.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.slots.len() as u32
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tracked> {
        self.slots.iter_mut().flatten()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tracked> {
        self.slots.iter().flatten()
    }

    /// How many were asked for by name.
    pub(crate) fn requested(&self) -> usize {
        self.requested
    }

    /// Bytes of those names.
    pub(crate) fn requested_bytes(&self) -> usize {
        self.requested_bytes
    }

    /// How many of those have no answer yet (kept for full-state types only).
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// The combined version of all that the client holds.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }
}

/// Put an index on a list of names that `listed` tells.
fn enlist(list: &mut Vec<u32>, slots: &[Option<Tracked>], index: u32, listed: impl Fn(&Tracked) -> bool) {
    if list.len() <= 2 * slots.len() {
        return list.push(index);
    }
    // Names that came and went while a response was open left their indices behind.
    let stands = |index: &u32| slots[*index as usize].as_ref().is_some_and(&listed);
    list.clear();
    list.extend((0..slots.len() as u32).filter(stands));
}

fn name_at(slots: &[Option<Tracked>], index: u32) -> &str {
    slots[index as usize].as_ref().map_or("", |tracked| &tracked.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(names: &mut Names, name: &str) -> u32 {
        names.track(name, || name.into())
    }

    #[test]
    fn a_name_is_tracked_once_and_found_until_removed() {
        let mut names = Names::default();
        let indices: Vec<u32> = (0..1000).map(|n| track(&mut names, &n.to_string())).collect();
        assert_eq!(track(&mut names, "500"), indices[500]);
        names.remove(indices[500]);
        assert_eq!((names.find("500"), names.find("501")), (None, Some(indices[501])));
        assert_eq!(track(&mut names, "again"), indices[500], "the slot is used again");
        assert_eq!(names.iter().count(), 1000);
    }

    #[test]
    fn the_combined_version_forgets_order_and_past() {
        let (mut one, mut other) = (Names::default(), Names::default());
        for (names, order) in [(&mut one, ["a", "b", "c"]), (&mut other, ["c", "b", "a"])] {
            for name in order {
                let index = track(names, name);
                names.set_held(index, Held::Version(7));
                names.set_held(index, Held::Version(crate::wire::fingerprint(name, 1)));
            }
        }
        assert_eq!(one.version(), other.version());
        let index = track(&mut one, "d");
        one.set_held(index, Held::Version(99));
        assert_ne!(one.version(), other.version());
        one.remove(index);
        assert_eq!(one.version(), other.version());
    }

    #[test]
    fn counts_follow_their_flags() {
        let mut names = Names::default();
        let index = track(&mut names, "a");
        names.set_requested(index, true);
        names.set_requested(index, true);
        names.set_unanswered(index, true);
        assert_eq!((names.requested(), names.requested_bytes(), names.unanswered()), (1, 1, 1));
        names.remove(index);
        assert_eq!((names.requested(), names.requested_bytes(), names.unanswered()), (0, 0, 0));
    }

    #[test]
    fn a_dirty_name_is_looked_at_once() {
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
    fn a_pressing_name_is_looked_at_before_the_others_and_once() {
        let mut names = Names::default();
        let [a, b, c] = ["a", "b", "c"].map(|name| track(&mut names, name));
        [a, b].into_iter().for_each(|index| names.mark_dirty(index));
        names.mark_urgent(b);
        names.get_mut(c).unwrap().resend = true;
        names.mark_dirty(c);
        let mut seen = Vec::new();
        names.drain_dirty(true, |_, index| seen.push(index));
        assert_eq!((seen.as_slice(), names.has_urgent(), names.has_dirty()), (&[b, c][..], false, true));
        names.drain_dirty(false, |_, index| seen.push(index));
        assert_eq!((seen, names.has_dirty()), (vec![b, c, a], false));
    }

    #[test]
    fn names_that_come_and_go_while_dirty_leave_no_trail() {
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
    fn passes_start_over_without_old_marks() {
        let mut names = Names { pass: u32::MAX - 1, ..Names::default() };
        let index = track(&mut names, "a");
        names.get_mut(index).unwrap().pass = 1;
        assert_eq!((names.begin_pass(), names.begin_pass()), (u32::MAX, 1));
        assert_eq!(names.get(index).unwrap().pass, 0);
    }
}
