//! Names that clients subscribe to and that have no resource, over all streams of a shard.

use std::rc::Rc;
use std::sync::Arc;

use steerway_engine::{AbsentView, TypeId};

use crate::runtime::shard::Shard;
use crate::xds::scan::{StreamFilter, scan};
use crate::xds::stream_handle::StreamHandle;
use crate::xds::streams::Streams;

/// Rows of one stream: a client that subscribes to everything must not hide the others.
const MAX_ROWS_OF_A_STREAM: usize = 10;

/// The number of absent names of each type, over all streams, and some of them.
#[derive(Clone, Debug, Default)]
pub struct Absences {
    /// Subscriptions to absent names, by [`TypeId::index`].
    pub counts: [u64; TypeId::COUNT],
    /// Some of each stream, by the id of the stream.
    pub rows: Vec<AbsenceRow>,
}

/// One absent name of one stream.
#[derive(Clone, Debug)]
pub struct AbsenceRow {
    /// Id of the stream.
    pub stream: u64,
    /// The client's `node.id`.
    pub node_id: Arc<str>,
    /// Address of the client.
    pub peer: Arc<str>,
    /// Audience of the stream.
    pub audience: Arc<str>,
    /// Type of the subscription.
    pub type_id: TypeId,
    /// The name, and why it is absent.
    pub absent: AbsentView,
    /// Number of absent names of the stream.
    pub count: usize,
}

/// Which rows are wanted: of `streams` streams with ids above `after`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) after: u64,
    pub(crate) streams: usize,
}

impl Absences {
    /// Add those of another shard.
    pub(crate) fn merge(mut self, other: Absences) -> Absences {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.rows.extend(other.rows);
        self
    }

    /// Keep only rows of streams that fit into the page, in their order.
    pub(crate) fn truncate(&mut self, page: Page) {
        self.rows.sort_by_key(|row| row.stream);
        let mut ids: Vec<u64> = self.rows.iter().map(|row| row.stream).collect();
        ids.dedup();
        if let Some(&left_out) = ids.get(page.streams) {
            self.rows.retain(|row| row.stream < left_out);
        }
    }

    /// Add one stream, with rows or only with its numbers.
    fn add(&mut self, stream: &StreamHandle, shard: &Shard, with_rows: bool) {
        let core = stream.core.borrow();
        let (Some(node), Some(audience)) = (core.node(), core.audience()) else { return };
        let (start, mut count) = (self.rows.len(), 0);
        let room = start + if with_rows { MAX_ROWS_OF_A_STREAM } else { 0 };
        core.absences(&shard.shared.store.read(), |absence| {
            self.counts[absence.type_id.index()] += 1;
            count += 1;
            if self.rows.len() < room {
                self.rows.push(AbsenceRow {
                    stream: stream.id,
                    node_id: Arc::clone(&node.id),
                    peer: Arc::clone(&stream.connection.peer.address),
                    audience: Arc::clone(audience),
                    type_id: absence.type_id,
                    absent: absence.into(),
                    count: 0,
                });
            }
        });
        self.rows[start..].iter_mut().for_each(|row| row.count = count);
    }
}

/// Look up the names of each stream of the shard.
pub(crate) async fn collect(streams: Rc<Streams>, page: Page) -> Absences {
    let (mut absences, mut shown) = (Absences::default(), 0);
    scan(&streams, &StreamFilter::default(), |stream| {
        let (rows, with_rows) = (absences.rows.len(), stream.id > page.after && shown < page.streams);
        absences.add(stream, &streams.shard, with_rows);
        shown += usize::from(absences.rows.len() > rows);
    })
    .await;
    absences
}
