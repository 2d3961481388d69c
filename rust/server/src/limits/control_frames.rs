//! Limits the HTTP/2 frames that are not requests.
//!
//! HTTP/2's flow control covers DATA only. PING, SETTINGS, RST_STREAM, PRIORITY, HEADERS of new streams and empty DATA
//! cost the server work and the client nothing (CVE-2019-9512, -9513, -9514, -9515, -9518; CVE-2023-44487). h2 bounds
//! their memory and answers every ping. gRPC servers close a connection that pings too much (gRFC A8, "Server
//! Enforcement"), and allow pings after they have sent data, because clients measure the bandwidth with them; here that
//! applies to all such frames.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::rate::TokenBucket;

/// A client with a keepalive of 10 s and a few streams sends less than one per second. The burst is for a client that
/// opens many streams at once.
const PER_SECOND: f64 = 20.0;
const BURST: f64 = 2000.0;

/// Frames in answer to a response: a ping to measure the bandwidth, SETTINGS with the resulting window, and
/// WINDOW_UPDATE of stream and connection; the latter two again for each `BYTES_PER_FRAME`.
const PER_RESPONSE: f64 = 8.0;
const BYTES_PER_FRAME: f64 = 4096.0;

/// Frames that a connection may read before other connections are polled.
const FRAMES_PER_POLL: u32 = 256;

/// RFC 9113, section 3.4: length of the client's connection preface.
const PREFACE: usize = 24;
const FRAME_HEAD: usize = 9;

const DATA: u8 = 0;
/// The smallest request is longer: it has a prefix, and the URL of a type or a nonce.
const SMALL_DATA: usize = 16;

/// The frames that a client has sent, and may still send.
pub(crate) struct ControlFrameMeter {
    bucket: RefCell<TokenBucket>,
    unpaid_frames: Cell<u32>,
    frames_this_poll: Cell<u32>,
}

impl ControlFrameMeter {
    pub(crate) fn new(now: Duration) -> Rc<ControlFrameMeter> {
        let bucket = RefCell::new(TokenBucket::new(PER_SECOND, BURST, now));
        Rc::new(ControlFrameMeter { bucket, unpaid_frames: Cell::new(0), frames_this_poll: Cell::new(0) })
    }

    /// A response of this length is sent.
    pub(crate) fn credit(&self, bytes: usize) {
        self.bucket.borrow_mut().credit(PER_RESPONSE + bytes as f64 / BYTES_PER_FRAME);
    }

    /// Begin a poll of the connection. Returns whether the client is within the limit.
    pub(crate) fn begin_poll(&self, now: impl FnOnce() -> Duration) -> bool {
        self.frames_this_poll.set(0);
        let mut bucket = self.bucket.borrow_mut();
        bucket.spend(f64::from(self.unpaid_frames.take()));
        bucket.wait(now).is_none()
    }

    fn frame(&self, kind: u8, length: usize) {
        self.frames_this_poll.set(self.frames_this_poll.get() + 1);
        if kind != DATA || length < SMALL_DATA {
            self.unpaid_frames.set(self.unpaid_frames.get() + 1);
        }
    }
}

/// A byte stream from an HTTP/2 client whose frames are counted.
pub(crate) struct MeteredStream<S> {
    stream: S,
    meter: Rc<ControlFrameMeter>,
    skip: usize,
    head: [u8; FRAME_HEAD],
    filled: usize,
}

impl<S> MeteredStream<S> {
    pub(crate) fn new(stream: S, meter: Rc<ControlFrameMeter>) -> MeteredStream<S> {
        MeteredStream { stream, meter, skip: PREFACE, head: [0; FRAME_HEAD], filled: 0 }
    }

    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let count = self.skip.min(bytes.len());
                self.skip -= count;
                bytes = &bytes[count..];
                continue;
            }
            let count = (FRAME_HEAD - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + count].copy_from_slice(&bytes[..count]);
            self.filled += count;
            bytes = &bytes[count..];
            if self.filled == FRAME_HEAD {
                self.filled = 0;
                let [a, b, c, kind, ..] = self.head;
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                self.meter.frame(kind, self.skip);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.frames_this_poll.get() >= FRAMES_PER_POLL {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.pass(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let mut frame = (length as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, 0, 0, 0, 0, 1]);
        frame.extend(vec![PING; length]);
        frame
    }

    #[test]
    fn frames_are_counted_wherever_they_were_cut() {
        let frames = [frame(PING, 8), frame(DATA, 300), frame(DATA, 0), frame(1, 30), frame(DATA, 16)];
        let sent = [vec![PING; PREFACE], frames.concat()].concat();
        for size in 1..=sent.len() {
            let meter = ControlFrameMeter::new(Duration::ZERO);
            let mut metered = MeteredStream::new((), Rc::clone(&meter));
            sent.chunks(size).for_each(|piece| metered.pass(piece));
            assert_eq!(
                (meter.frames_this_poll.get(), meter.unpaid_frames.get()),
                (5, 3),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn a_flood_is_detected_and_frames_after_a_response_are_allowed() {
        let now = || Duration::ZERO;
        let meter = ControlFrameMeter::new(now());
        let pings = |count| (0..count).for_each(|_| meter.frame(PING, 8));
        for _ in 0..10_000 {
            meter.credit(100);
            pings(PER_RESPONSE as u32);
            assert!(meter.begin_poll(now));
        }
        pings(BURST as u32 - 1);
        assert!(meter.begin_poll(now));
        pings(1000);
        assert!(!meter.begin_poll(now));
    }
}
