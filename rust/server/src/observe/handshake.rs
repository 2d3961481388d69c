//! How often handshakes fail, by reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::net::handshake_failure::HandshakeFailure;

/// At most one report per reason in this interval: a port scan must not fill the log.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// A report of a failed handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeFailed {
    /// Address of the client.
    pub peer: Arc<str>,
    /// Key of [`crate::Stats::handshake_failures`].
    pub reason: &'static str,
    /// For operators.
    pub message: String,
    /// Failures for the same reason that were not reported since the last report.
    pub suppressed: u64,
}

/// Failures by reason.
#[derive(Default)]
pub(crate) struct HandshakeFailureCounters(Mutex<BTreeMap<&'static str, Count>>);

#[derive(Default)]
struct Count {
    total: u64,
    suppressed: u64,
    reported: Option<Instant>,
}

impl HandshakeFailureCounters {
    /// Count a failure; returns it when it is to be reported.
    pub(crate) fn add(&self, peer: &Arc<str>, failure: HandshakeFailure) -> Option<HandshakeFailed> {
        let HandshakeFailure { reason, message } = failure;
        let mut counts = self.0.lock();
        let count = counts.entry(reason).or_default();
        count.total += 1;
        if count.reported.is_some_and(|reported| reported.elapsed() < REPORT_INTERVAL) {
            count.suppressed += 1;
            return None;
        }
        count.reported = Some(Instant::now());
        let suppressed = std::mem::take(&mut count.suppressed);
        Some(HandshakeFailed { peer: Arc::clone(peer), reason, message, suppressed })
    }

    pub(crate) fn read(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().iter().map(|(reason, count)| (*reason, count.total)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_failure_per_reason_and_interval_is_reported() {
        let (failures, peer) = (HandshakeFailureCounters::default(), "peer".into());
        let fail = |reason| {
            failures.add(&peer, HandshakeFailure::new(reason, "why")).map(|failed| failed.suppressed)
        };
        assert_eq!([fail("alpn"), fail("alpn"), fail("tls"), fail("alpn")], [Some(0), None, Some(0), None]);
        tokio::time::advance(REPORT_INTERVAL).await;
        assert_eq!([fail("alpn"), fail("alpn")], [Some(2), None]);
        assert_eq!(failures.read(), BTreeMap::from([("alpn", 5), ("tls", 1)]));
    }
}
