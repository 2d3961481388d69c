//! The age of a connection, and the end of an idle one.
//!
//! Clients that connected while one replica was the only one would never move, so connections are closed at an age,
//! each at a different one (gRFC A9: MAX_CONNECTION_AGE, MAX_CONNECTION_AGE_GRACE). So are connections without a
//! stream.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use crate::runtime::options::Options;

/// Ages vary by this in either direction.
const JITTER: f64 = 0.1;

/// Time for the last frames to be sent.
const FLUSH: Duration = Duration::from_secs(5);

/// What the connection's task has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgeStep {
    /// Accept no more streams; end each stream after its next response, at once where there was one.
    Drain,
    /// End all streams.
    EndStreams,
    /// Drop the connection.
    Close,
}

/// The timers of one connection.
pub(crate) struct ConnectionAge {
    /// The next step and its timer. `None`: no step is due.
    next: Option<(AgeStep, Pin<Box<Sleep>>)>,
    grace: Duration,
    idle_timeout: Duration,
    idle: Option<Pin<Box<Sleep>>>,
}

impl ConnectionAge {
    pub(crate) fn new(options: &Options) -> ConnectionAge {
        let age = jittered(options.max_connection_age, RandomState::new().hash_one(0));
        ConnectionAge {
            next: age.map(|age| (AgeStep::Drain, Box::pin(sleep(age)))),
            grace: options.max_connection_age_grace,
            idle_timeout: options.request_timeout,
            idle: None,
        }
    }

    /// Ready once with each step. `idle`: whether there is no stream.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, idle: bool) -> Poll<AgeStep> {
        if let Some((step, timer)) = &mut self.next
            && timer.as_mut().poll(context).is_ready()
        {
            let step = *step;
            match step {
                AgeStep::Drain => self.schedule(AgeStep::EndStreams, self.grace),
                AgeStep::EndStreams | AgeStep::Close => self.schedule(AgeStep::Close, FLUSH),
            }
            return Poll::Ready(step);
        }
        if !idle {
            self.idle = None;
            return Poll::Pending;
        }
        let timeout = self.idle_timeout;
        let timer = self.idle.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.idle = None;
        if matches!(self.next, Some((AgeStep::EndStreams | AgeStep::Close, _))) {
            return Poll::Pending; // It is closing already.
        }
        self.schedule(AgeStep::EndStreams, self.grace);
        Poll::Ready(AgeStep::Drain)
    }

    /// The connection sent its last frames, and is dropped soon.
    pub(crate) fn close(&mut self) {
        self.schedule(AgeStep::Close, FLUSH);
    }

    fn schedule(&mut self, step: AgeStep, after: Duration) {
        self.next = Some((step, Box::pin(sleep(after))));
    }
}

/// A random age around `age`; `None` for 0. `random` is any number.
fn jittered(age: Duration, random: u64) -> Option<Duration> {
    let factor = 1.0 - JITTER + 2.0 * JITTER * (random as f64 / u64::MAX as f64);
    (!age.is_zero()).then(|| age.mul_f64(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_vary_around_the_given_one() {
        let age = Duration::from_secs(1000);
        let of = |random| jittered(age, random).unwrap().as_secs_f64().round();
        assert_eq!([of(0), of(u64::MAX / 2), of(u64::MAX)], [900.0, 1000.0, 1100.0]);
        assert_eq!(jittered(Duration::ZERO, 7), None);
    }
}
