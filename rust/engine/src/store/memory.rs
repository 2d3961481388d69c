//! Memory of tables of names that shrank.

use std::hash::Hash;

use hashbrown::HashMap;

/// Smaller tables keep their memory.
const MIN_CAPACITY: usize = 4096;

/// A table is sparse when less than one place in so many is in use.
const SPARSE: usize = 8;

/// Give memory back after a removal.
pub(crate) fn shrink_if_sparse<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    if table.len() < table.capacity() / SPARSE && table.capacity() > MIN_CAPACITY {
        table.shrink_to(table.len() * 2);
    }
}
