//! Reads all streams of a shard for an operator, some at a time: its clients are served in between.

use std::rc::Rc;
use std::sync::Arc;

use steerway_engine::Progress;
use tokio::task::yield_now;

use crate::xds::stream_handle::StreamHandle;
use crate::xds::stream_view::StreamView;
use crate::xds::streams::Streams;

/// Work of a scan, in names, before the shard serves its clients again: some hundred microseconds.
const NAMES_AT_ONCE: usize = 2000;

/// Work for a stream itself, in names.
const STREAM: usize = 10;

/// The streams that a call wants: those that meet every condition.
#[derive(Clone, Debug, Default)]
pub struct StreamFilter {
    /// Only streams with one of these ids.
    pub ids: Option<Arc<[u64]>>,
    /// Only streams of nodes whose id matches this pattern: `*` stands for any text, `?` for one character.
    pub node: Option<Arc<str>>,
    /// Only streams with this label; "": without one.
    pub label: Option<Arc<str>>,
    /// Only streams with higher ids.
    pub after: u64,
    /// The first of these streams; 0: all.
    pub limit: usize,
}

impl StreamFilter {
    /// The ids of the shard's streams that may match, ascending.
    fn candidates(&self, streams: &Streams) -> Vec<u64> {
        let Some(wanted) = &self.ids else { return streams.ids_after(self.after) };
        let mut ids: Vec<u64> = wanted.iter().copied().filter(|id| *id > self.after).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn matches(&self, stream: &StreamHandle) -> bool {
        let core = stream.core.borrow();
        let Some(node) = core.node() else { return false };
        self.label.as_ref().is_none_or(|label| *label == *stream.label.borrow())
            && self.node.as_ref().is_none_or(|pattern| is_match(pattern, &node.id))
    }

    /// Keep only as many streams as are wanted, in the order of their ids.
    pub(crate) fn page(&self, mut views: Vec<StreamView>) -> Vec<StreamView> {
        views.sort_unstable_by_key(|view| view.id);
        if self.limit > 0 {
            views.truncate(self.limit);
        }
        views
    }
}

/// Call `visit` with each stream of the shard that matches and has sent its Node, by ascending id.
pub(crate) async fn scan(streams: &Rc<Streams>, filter: &StreamFilter, mut visit: impl FnMut(&StreamHandle)) {
    let (mut work, mut matches) = (0, 0);
    for id in filter.candidates(streams) {
        let Some(stream) = streams.get(id) else { continue };
        let visited = stream.catch_panic(&streams.shard, |stream| {
            let is_match = filter.matches(stream);
            if is_match {
                visit(stream);
                work += stream.subscribed();
            }
            is_match
        });
        work += STREAM;
        matches += usize::from(visited == Some(true));
        if filter.limit > 0 && matches == filter.limit {
            return;
        }
        if work >= NAMES_AT_ONCE {
            work = 0;
            yield_now().await;
        }
    }
}

/// How far the client of a stream is.
pub(crate) fn progress(streams: &Streams, stream: &StreamHandle) -> Progress {
    stream.core.borrow().progress(&streams.shard.shared.store.read())
}

/// Whether a text matches a pattern: `*` stands for any text, `?` for one character.
fn is_match(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // The last `*`: what follows it, and the text that it has not taken yet.
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let text_before = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = text_before;
                star = Some((pattern.clone(), text.clone()));
            }
            (Some(wanted), Some(given)) if wanted == '?' || wanted == given => {}
            _ => {
                let Some((after, taken)) = &mut star else { return false };
                if taken.next().is_none() {
                    return false;
                }
                (pattern, text) = (after.clone(), taken.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "shop/checkout-1", true),
            ("shop/*", "shop/checkout-1", true),
            ("shop/*", "pay/shop/1", false),
            ("*-1", "checkout-1-1", true),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("?", "", false),
            ("?", "é", true),
            ("a?*", "a", false),
            ("a?*", "ab", true),
            ("**a**", "bab", true),
            ("[a]", "a", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(is_match(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_with_many_stars_is_matched_in_polynomial_time() {
        let (pattern, text) = ("a*".repeat(40) + "b", "a".repeat(5000));
        assert!(!is_match(&pattern, &text));
    }
}
