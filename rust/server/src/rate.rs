//! A token bucket: a rate with a burst.

use std::time::Duration;

/// So many tokens a second, and so many saved at the most. What is spent may exceed what is there: the debt is waited
/// for, so that one big cost passes and pays afterwards.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Duration,
}

impl TokenBucket {
    /// A full bucket. `now` is the time since any fixed moment, as in all other calls.
    pub(crate) fn new(per_second: f64, burst: f64, now: Duration) -> TokenBucket {
        TokenBucket { per_second, burst, tokens: burst, filled: now }
    }

    /// `None` when something may be spent, or how long to wait for it. The clock is read only when the bucket is empty.
    pub(crate) fn wait(&mut self, now: impl FnOnce() -> Duration) -> Option<Duration> {
        if self.tokens >= 1.0 {
            return None;
        }
        let now = now();
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        let missing = 1.0 - self.tokens;
        // Timers have milliseconds: a shorter wait would only be asked for again.
        (missing > 0.0).then(|| Duration::from_secs_f64(missing / self.per_second + 0.001))
    }

    pub(crate) fn spend(&mut self, cost: f64) {
        self.tokens -= cost;
    }

    /// Give tokens for something that entitles to them. They may exceed the burst; what exceeded it before is lost.
    pub(crate) fn earn(&mut self, tokens: f64) {
        self.tokens = self.tokens.min(self.burst) + tokens;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(f64) -> Duration = Duration::from_secs_f64;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut bucket = TokenBucket::new(10.0, 3.0, AT(1.0));
        for _ in 0..3 {
            assert_eq!(bucket.wait(|| unreachable!()), None);
            bucket.spend(1.0);
        }
        assert_eq!(bucket.wait(|| AT(1.0)), Some(AT(0.101)));
        assert_eq!(bucket.wait(|| AT(1.1)), None);
        bucket.spend(1.0);
        assert_eq!(bucket.wait(|| AT(9.0)), None);
        for _ in 0..3 {
            assert_eq!(bucket.wait(|| unreachable!("saved: the burst, not the time")), None);
            bucket.spend(1.0);
        }
        assert_ne!(bucket.wait(|| AT(9.0)), None);
    }

    #[test]
    fn a_debt_is_waited_for() {
        let mut bucket = TokenBucket::new(10.0, 3.0, AT(0.0));
        bucket.spend(13.0);
        assert_eq!(bucket.wait(|| AT(0.0)), Some(AT(1.101)));
        assert_ne!(bucket.wait(|| AT(1.0)), None);
        assert_eq!(bucket.wait(|| AT(1.2)), None);
    }

    #[test]
    fn what_is_earned_is_not_saved_beyond_the_burst() {
        let mut bucket = TokenBucket::new(1.0, 2.0, AT(0.0));
        bucket.earn(100.0);
        bucket.earn(1.0);
        for _ in 0..3 {
            assert_eq!(bucket.wait(|| unreachable!()), None);
            bucket.spend(1.0);
        }
        assert_ne!(bucket.wait(|| AT(0.0)), None);
    }
}
