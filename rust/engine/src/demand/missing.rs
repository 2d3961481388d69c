//! Missing names by the service that they wait for: linked lists through the slots of the demand table.

use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::slot::{NO_SLOT, Slot};

#[derive(Debug, Default)]
pub(super) struct Missing {
    hasher: DefaultHashBuilder,
    /// The first slot of each list.
    first: HashTable<u32>,
    len: usize,
}

impl Missing {
    /// Number of missing names, with and without a service.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[cfg(test)]
    pub(super) fn has_lists(&self) -> bool {
        !self.first.is_empty()
    }

    /// Add a slot at the head of the list of its service; "": it waits for none.
    pub(super) fn link(&mut self, slots: &mut [Slot], index: u32, service: &str) {
        self.len += 1;
        if service.is_empty() {
            return;
        }
        let awaited = self.hash(service);
        slots[index as usize].awaited_service = awaited;
        let is_same = |&other: &u32| slots[other as usize].awaited_service == awaited;
        let hash_of = |&other: &u32| self.hasher.hash_one(slots[other as usize].awaited_service);
        let second = match self.first.entry(self.hasher.hash_one(awaited), is_same, hash_of) {
            Entry::Occupied(mut entry) => std::mem::replace(entry.get_mut(), index),
            Entry::Vacant(entry) => {
                entry.insert(index);
                NO_SLOT
            }
        };
        slots[index as usize].next = second;
        if second != NO_SLOT {
            slots[second as usize].previous = index;
        }
    }

    /// Take a slot out that is no longer missing, or no longer used.
    pub(super) fn unlink(&mut self, slots: &mut [Slot], index: u32) {
        self.len -= 1;
        let slot = &mut slots[index as usize];
        let (awaited, next, previous) = (slot.awaited_service, slot.next, slot.previous);
        (slot.next, slot.previous) = (NO_SLOT, NO_SLOT);
        if awaited == 0 {
            return;
        }
        if next != NO_SLOT {
            slots[next as usize].previous = previous;
        }
        if previous != NO_SLOT {
            slots[previous as usize].next = next;
        } else if let Ok(mut entry) =
            self.first.find_entry(self.hasher.hash_one(awaited), |&other| other == index)
        {
            if next == NO_SLOT {
                entry.remove();
            } else {
                *entry.get_mut() = next;
            }
        }
        slots[index as usize].awaited_service = 0;
    }

    /// The slots that wait for a service.
    pub(super) fn of<'a>(&self, slots: &'a [Slot], service: &str) -> impl Iterator<Item = u32> + use<'a> {
        let awaited = self.hash(service);
        let is_same = |&index: &u32| slots[index as usize].awaited_service == awaited;
        let first = self.first.find(self.hasher.hash_one(awaited), is_same).copied();
        let next = |index: &u32| Some(slots[*index as usize].next).filter(|next| *next != NO_SLOT);
        std::iter::successors(first, next)
    }

    /// 0 stands for no service.
    fn hash(&self, service: &str) -> u64 {
        self.hasher.hash_one(service).max(1)
    }
}
