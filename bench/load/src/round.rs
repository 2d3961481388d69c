//! One change and the clients that have it: what is still expected, and when each update came.

use crate::poll::monotonic_ns;

/// Round 0 is the first answer to every subscription; each change starts another round.
#[derive(Default)]
pub struct Round {
    pub number: u64,
    pub bytes: usize,
    pub responses: usize,
    pub resources: usize,
    expected: usize,
    times: Vec<u64>,
    ages: Vec<u64>,
}

impl Round {
    #[must_use]
    pub fn new(number: u64, expected: usize) -> Self {
        Self { number, expected, ..Self::default() }
    }

    /// A client has one update of this round.
    pub fn deliver(&mut self) {
        self.times.push(monotonic_ns());
    }

    /// A client has a stamped change that was published so long ago.
    pub fn deliver_aged(&mut self, age_ns: u64) {
        self.ages.push(age_ns);
    }

    #[must_use]
    pub fn delivered(&self) -> usize {
        self.times.len()
    }

    #[must_use]
    pub fn complete(&self) -> bool {
        self.delivered() >= self.expected
    }

    /// What stamped changes came to, as `key=value` words; ages in nanoseconds.
    #[must_use]
    pub fn ages(&mut self) -> String {
        self.ages.sort_unstable();
        let quantile =
            |part: usize| self.ages.get(self.ages.len().saturating_sub(1) * part / 100).unwrap_or(&0);
        format!(
            "updates={} responses={} bytes={} p50={} p99={} last={}",
            self.ages.len(),
            self.responses,
            self.bytes,
            quantile(50),
            quantile(99),
            quantile(100)
        )
    }

    /// What the driver wants to know, as `key=value` words; times are CLOCK_MONOTONIC in nanoseconds.
    #[must_use]
    pub fn report(&self) -> String {
        let quantile =
            |part: usize| self.times.get(self.times.len().saturating_sub(1) * part / 100).unwrap_or(&0);
        format!(
            "round={} updates={} responses={} resources={} bytes={} p50={} p99={} last={}",
            self.number,
            self.delivered(),
            self.responses,
            self.resources,
            self.bytes,
            quantile(50),
            quantile(99),
            quantile(100),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_complete_when_every_update_came() {
        let mut round = Round::new(3, 2);
        round.deliver();
        assert!(!round.complete());
        round.deliver();
        assert!(round.complete());
        assert!(round.report().starts_with("round=3 updates=2 "));
    }
}
