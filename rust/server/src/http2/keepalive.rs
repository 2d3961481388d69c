//! Pings a quiet connection, and says when the client no longer answers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

/// A client that talks is pinged all the same after so many intervals: it may talk and never read.
const INTERVALS_OF_TALK: u32 = 10;

/// Keepalive of one connection. Load balancers forget quiet connections, and a dead client sends no FIN.
pub(crate) struct Keepalive {
    pings: PingPong,
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    timeout: Duration,
    waiting: bool,
    answered: Instant,
}

impl Keepalive {
    pub(crate) fn new(pings: PingPong, interval: Duration, timeout: Duration) -> Keepalive {
        Keepalive {
            pings,
            timer: Box::pin(sleep(interval)),
            interval,
            timeout,
            waiting: false,
            answered: Instant::now(),
        }
    }

    /// Ready when a ping was not answered in time. `heard`: when the client was last heard of.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, heard: Instant) -> Poll<()> {
        loop {
            if self.waiting {
                match self.pings.poll_pong(context) {
                    Poll::Ready(Ok(_)) => {
                        self.waiting = false;
                        self.answered = Instant::now();
                        self.timer.as_mut().reset(self.answered + self.interval);
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return self.timer.as_mut().poll(context),
                }
            }
            if self.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let due = (heard + self.interval).min(self.answered + self.interval * INTERVALS_OF_TALK);
            if due > Instant::now() {
                self.timer.as_mut().reset(due);
                continue;
            }
            if self.pings.send_ping(Ping::opaque()).is_err() {
                return Poll::Ready(());
            }
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.timeout);
        }
    }
}
