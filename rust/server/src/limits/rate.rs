//! Token buckets: a rate with a burst, and a share of CPU time.

use std::time::Duration;

/// `per_second` tokens, of which `burst` are saved. More may be spent than is there: the debt delays what follows, so
/// that one large cost passes at once.
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

    /// `None` when something may be spent; otherwise the time until then. The clock is read only when the bucket is
    /// empty.
    pub(crate) fn wait(&mut self, now: impl FnOnce() -> Duration) -> Option<Duration> {
        if self.tokens >= 1.0 {
            return None;
        }
        let now = now();
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        let missing = 1.0 - self.tokens;
        // Timers have a resolution of a millisecond: a shorter wait would end too early.
        (missing > 0.0).then(|| Duration::from_secs_f64(missing / self.per_second + 0.001))
    }

    pub(crate) fn spend(&mut self, cost: f64) {
        self.tokens -= cost;
    }

    /// Add tokens, even beyond the burst; what exceeded it before is lost.
    pub(crate) fn credit(&mut self, tokens: f64) {
        self.tokens = self.tokens.min(self.burst) + tokens;
    }
}

/// CPU time that a client may use: a share of cores in the long run, and [`CPU_BURST`] at once.
#[derive(Debug)]
pub(crate) struct CpuBudget {
    /// 0: no limit.
    cores: f64,
    /// Seconds that were used and not yet offset by the share.
    used: f64,
    paid: Duration,
}

/// A client that connects or reconnects requests everything at once.
const CPU_BURST: f64 = 2.0;

/// Seconds that may be used before the clock is read: clients that use little cost no clock reads.
const UNPAID: f64 = 0.02;

impl CpuBudget {
    /// An unused budget. `now` is the time since any fixed moment, as in all other calls.
    pub(crate) fn new(cores: f64, now: Duration) -> CpuBudget {
        CpuBudget { cores, used: 0.0, paid: now }
    }

    /// Charge the time of some work for the client. The clock is read only when much is used.
    pub(crate) fn spend(&mut self, time: Duration, now: impl FnOnce() -> Duration) {
        let time = time.as_secs_f64();
        if self.used + time > UNPAID {
            self.pay(now());
        }
        self.used += time;
    }

    /// `None` when work may be done; otherwise the time until then.
    pub(crate) fn wait(&mut self, now: impl FnOnce() -> Duration) -> Option<Duration> {
        if self.used <= CPU_BURST {
            return None;
        }
        self.pay(now());
        let over = self.used - CPU_BURST;
        // Timers have a resolution of a millisecond: a shorter wait would end too early.
        (over > 0.0 && self.cores > 0.0).then(|| Duration::from_secs_f64(over / self.cores + 0.001))
    }

    /// Whether less than `time` is owed.
    pub(crate) fn debt_below(&mut self, time: Duration, now: impl FnOnce() -> Duration) -> bool {
        let time = time.as_secs_f64();
        if self.used >= time {
            self.pay(now());
        }
        self.used < time
    }

    /// Whether nothing is owed.
    pub(crate) fn is_unused(&mut self, now: Duration) -> bool {
        self.pay(now);
        self.used <= 0.0
    }

    fn pay(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.paid).as_secs_f64();
        self.paid = self.paid.max(now);
        // Without a limit the debt is reduced at the rate of one core.
        let share = if self.cores > 0.0 { self.cores } else { 1.0 };
        self.used = (self.used - passed * share).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(f64) -> Duration = Duration::from_secs_f64;

    #[test]
    fn after_the_burst_the_rate_applies() {
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
    fn a_debt_delays_what_follows() {
        let mut bucket = TokenBucket::new(10.0, 3.0, AT(0.0));
        bucket.spend(13.0);
        assert_eq!(bucket.wait(|| AT(0.0)), Some(AT(1.101)));
        assert_ne!(bucket.wait(|| AT(1.0)), None);
        assert_eq!(bucket.wait(|| AT(1.2)), None);
    }

    #[test]
    fn credit_is_not_saved_beyond_the_burst() {
        let mut bucket = TokenBucket::new(1.0, 2.0, AT(0.0));
        bucket.credit(100.0);
        bucket.credit(1.0);
        for _ in 0..3 {
            assert_eq!(bucket.wait(|| unreachable!()), None);
            bucket.spend(1.0);
        }
        assert_ne!(bucket.wait(|| AT(0.0)), None);
    }

    #[test]
    fn cpu_time_beyond_the_burst_is_delayed_to_the_share() {
        let mut budget = CpuBudget::new(0.25, AT(1.0));
        budget.spend(AT(2.0), || AT(1.0));
        assert_eq!(budget.wait(|| unreachable!("a burst")), None);
        budget.spend(AT(1.0), || AT(1.0));
        assert_eq!(budget.wait(|| AT(1.0)), Some(AT(4.001)));
        assert_eq!(budget.wait(|| AT(5.0)), None);
        assert!(!budget.is_unused(AT(12.0)) && budget.is_unused(AT(13.0)));
        let mut unlimited = CpuBudget::new(0.0, AT(0.0));
        unlimited.spend(AT(100.0), || AT(0.0));
        assert!(unlimited.wait(|| AT(0.0)).is_none());
        assert!(
            !unlimited.debt_below(AT(99.0), || AT(1.0)) && unlimited.debt_below(AT(99.1), || unreachable!())
        );
    }

    #[test]
    fn little_cpu_time_needs_no_clock_and_idle_time_is_not_saved() {
        let mut budget = CpuBudget::new(0.5, AT(0.0));
        for _ in 0..10 {
            budget.spend(AT(0.001), || unreachable!("little"));
        }
        assert!(budget.debt_below(AT(0.05), || unreachable!("little")));
        budget.spend(AT(12.0), || AT(100.0));
        assert_eq!(budget.wait(|| AT(100.0)), Some(AT(20.001)));
    }
}
