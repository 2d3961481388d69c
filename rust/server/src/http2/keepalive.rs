//! Pings a silent connection, and detects a client that no longer answers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

/// Even a connection that receives data is pinged after this number of intervals: the client may send and never read.
const MAX_INTERVALS: u32 = 10;

/// Keepalive of one connection. Load balancers drop idle connections, and a crashed client sends no FIN.
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

    /// Ready when a ping was not answered in time. `last_received`: when the client last sent data.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, last_received: Instant) -> Poll<()> {
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
            let due = (last_received + self.interval).min(self.answered + self.interval * MAX_INTERVALS);
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
