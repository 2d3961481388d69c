//! When a connection ends that nothing else ends.
//!
//! A fleet that connected while one replica was the only one would stay there for ever, so connections are closed at an
//! age, each at its own (gRFC A9 has it as MAX_CONNECTION_AGE and MAX_CONNECTION_AGE_GRACE). A connection without a
//! stream is of no use to anybody.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use crate::runtime::options::Options;

/// Ages differ by so much in either direction.
const JITTER: f64 = 0.1;

/// What was said last has so long to get out.
const FLUSH: Duration = Duration::from_secs(5);

/// What the connection's task has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgeStep {
    /// Take no more streams; end those that were answered, and the others when they are.
    Drain,
    /// End all streams.
    EndStreams,
    /// Drop the connection.
    Close,
}

/// The rest of a connection's life.
pub(crate) struct ConnectionAge {
    /// What comes next, and when. `None`: nothing by itself.
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

    /// Ready with each step once. `idle`: whether there is no stream.
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
            return Poll::Pending; // It was told to go already.
        }
        self.schedule(AgeStep::EndStreams, self.grace);
        Poll::Ready(AgeStep::Drain)
    }

    /// The connection was told that it is over, and is dropped soon.
    pub(crate) fn close(&mut self) {
        self.schedule(AgeStep::Close, FLUSH);
    }

    fn schedule(&mut self, step: AgeStep, after: Duration) {
        self.next = Some((step, Box::pin(sleep(after))));
    }
}

/// An age near this one; 0 is none. `random` is any number.
fn jittered(age: Duration, random: u64) -> Option<Duration> {
    let factor = 1.0 - JITTER + 2.0 * JITTER * (random as f64 / u64::MAX as f64);
    (!age.is_zero()).then(|| age.mul_f64(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_spread_around_the_given_one() {
        let age = Duration::from_secs(1000);
        let of = |random| jittered(age, random).unwrap().as_secs_f64().round();
        assert_eq!([of(0), of(u64::MAX / 2), of(u64::MAX)], [900.0, 1000.0, 1100.0]);
        assert_eq!(jittered(Duration::ZERO, 7), None);
    }
}
