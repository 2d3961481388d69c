//! The client side of gRPC streams on one HTTP/2 connection, without I/O: bytes in, messages out.
//!
//! By RFC 9113 as far as a server can see: SETTINGS and PING are acknowledged, the server's flow-control windows are
//! kept. Our own windows are opened to the maximum at once, so no WINDOW_UPDATE is sent later. Response headers are not
//! decoded: the fleet only needs to know whether the stream lives.

use std::collections::VecDeque;
use std::ops::Range;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;

const FRAME_HEAD: usize = 9;
const MESSAGE_HEAD: usize = 5;
const MAX_WINDOW: u32 = (1 << 31) - 1;
const DEFAULT_WINDOW: u32 = 65_535;
const SETTING_ENABLE_PUSH: u16 = 2;
const SETTING_INITIAL_WINDOW_SIZE: u16 = 4;

fn put_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a frame of ours is short");
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A header field as "literal without indexing, new name" (RFC 7541, 6.2.2), not Huffman-coded.
fn put_header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(0);
    for text in [name, value] {
        let length = u8::try_from(text.len()).ok().filter(|&length| length < 0x7f);
        out.push(length.expect("a header of ours is short"));
        out.extend_from_slice(text.as_bytes());
    }
}

/// Streams of a client have odd numbers, in order.
fn stream_id(stream: usize) -> u32 {
    u32::try_from(2 * stream + 1).expect("a client has few streams")
}

/// What a client writes first: preface, settings, wide windows and the request headers of `path`, once per stream.
#[must_use]
pub fn opening(authority: &str, path: &str, streams: usize) -> Vec<u8> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let mut settings = Vec::new();
    for (setting, value) in [(SETTING_ENABLE_PUSH, 0), (SETTING_INITIAL_WINDOW_SIZE, MAX_WINDOW)] {
        settings.extend_from_slice(&setting.to_be_bytes());
        settings.extend_from_slice(&value.to_be_bytes());
    }
    put_frame(&mut out, SETTINGS, 0, 0, &settings);
    put_frame(&mut out, WINDOW_UPDATE, 0, 0, &(MAX_WINDOW - DEFAULT_WINDOW).to_be_bytes());
    let mut headers = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "steerway-bench"),
    ] {
        put_header(&mut headers, name, value);
    }
    for stream in 0..streams {
        put_frame(&mut out, HEADERS, END_HEADERS, stream_id(stream), &headers);
    }
    out
}

/// A frame at the start of a buffer: its head and where its payload lies.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Range<usize>,
}

fn first_frame(buffer: &[u8]) -> Option<Frame> {
    let head = buffer.get(..FRAME_HEAD)?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let payload = FRAME_HEAD..FRAME_HEAD + length;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & MAX_WINDOW;
    (buffer.len() >= payload.end).then_some(Frame { kind: head[3], flags: head[4], stream, payload })
}

fn number(bytes: &[u8]) -> Result<u32, String> {
    let bytes = bytes.try_into().map_err(|_| "frame of a wrong length")?;
    Ok(u32::from_be_bytes(bytes))
}

/// What was not sent yet on one stream, and what came of a message that is not complete.
struct Channel {
    window: i64,
    waiting: VecDeque<Vec<u8>>,
    message: Vec<u8>,
}

/// The state of one connection. Its streams are numbered from 0.
pub struct Http2 {
    window: i64,
    initial_window: u32,
    channels: Vec<Channel>,
}

impl Http2 {
    #[must_use]
    pub fn new(streams: usize) -> Self {
        let window = i64::from(DEFAULT_WINDOW);
        let channel = |_| Channel { window, waiting: VecDeque::new(), message: Vec::new() };
        Self { window, initial_window: DEFAULT_WINDOW, channels: (0..streams).map(channel).collect() }
    }

    /// Send a gRPC message of at most 16 kB, now or as soon as the server's windows allow.
    pub fn send(&mut self, stream: usize, message: &[u8], out: &mut Vec<u8>) {
        let length = u32::try_from(message.len()).expect("a message of ours is short");
        let mut framed = Vec::with_capacity(MESSAGE_HEAD + message.len());
        framed.push(0);
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(message);
        self.channels[stream].waiting.push_back(framed);
        self.flush(out);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        for (stream, channel) in self.channels.iter_mut().enumerate() {
            while let Some(next) = channel.waiting.front() {
                let length = i64::try_from(next.len()).expect("a message of ours is short");
                if length > self.window.min(channel.window) {
                    break;
                }
                self.window -= length;
                channel.window -= length;
                put_frame(out, DATA, 0, stream_id(stream), next);
                channel.waiting.pop_front();
            }
        }
    }

    fn channel(&mut self, id: u32) -> Result<&mut Channel, String> {
        let stream = usize::try_from(id).map_err(|error| error.to_string())? / 2;
        self.channels.get_mut(stream).ok_or_else(|| format!("frame on stream {id}"))
    }

    /// Take whole frames off `bytes`; what must be answered goes to `out`. Returns how many bytes were used.
    /// The messages that are complete now are taken with `next_message`.
    pub fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
        let mut used = 0;
        while let Some(frame) = first_frame(&bytes[used..]) {
            let payload = &bytes[used..][frame.payload.clone()];
            used += frame.payload.end;
            self.react(&frame, payload, out)?;
        }
        Ok(used)
    }

    fn react(&mut self, frame: &Frame, payload: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match frame.kind {
            DATA if frame.flags & PADDED != 0 => return Err("padded DATA is not understood".into()),
            DATA => self.channel(frame.stream)?.message.extend_from_slice(payload),
            RST_STREAM => {
                return Err(format!("server reset the stream, code {}", number(payload)?));
            }
            GOAWAY => return Err("server sent GOAWAY".into()),
            SETTINGS if frame.flags & ACK == 0 => self.settings(payload, out)?,
            PING if frame.flags & ACK == 0 => put_frame(out, PING, ACK, 0, payload),
            WINDOW_UPDATE => {
                let more = i64::from(number(payload)? & MAX_WINDOW);
                match frame.stream {
                    0 => self.window += more,
                    id => self.channel(id)?.window += more,
                }
                self.flush(out);
            }
            _ => {}
        }
        if frame.flags & END_STREAM != 0 && matches!(frame.kind, DATA | HEADERS) {
            return Err(format!("server ended the stream: {}", String::from_utf8_lossy(payload)));
        }
        Ok(())
    }

    fn settings(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        for setting in payload.chunks_exact(6) {
            if u16::from_be_bytes([setting[0], setting[1]]) == SETTING_INITIAL_WINDOW_SIZE {
                let window = number(&setting[2..])?;
                let more = i64::from(window) - i64::from(self.initial_window);
                self.channels.iter_mut().for_each(|channel| channel.window += more);
                self.initial_window = window;
            }
        }
        put_frame(out, SETTINGS, ACK, 0, &[]);
        self.flush(out);
        Ok(())
    }

    /// The next complete gRPC message of a stream, if there is one.
    pub fn next_message(&mut self, stream: usize) -> Result<Option<Vec<u8>>, String> {
        let channel = &mut self.channels[stream];
        let Some((head, rest)) = channel.message.split_at_checked(MESSAGE_HEAD) else {
            return Ok(None);
        };
        let length = number(&head[1..])? as usize;
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        if head[0] != 0 {
            return Err("compressed message".into());
        }
        let body = body.to_vec();
        channel.message.drain(..MESSAGE_HEAD + length);
        Ok(Some(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_frame(&mut out, kind, flags, stream, payload);
        out
    }

    #[test]
    fn a_message_split_over_frames_and_reads_is_put_together() {
        let mut bytes = frame(DATA, 0, 3, &[0, 0, 0]);
        bytes.extend(frame(DATA, 0, 3, &[0, 3, b'a', b'b', b'c', 0]));
        let (mut http2, mut out) = (Http2::new(2), Vec::new());
        assert_eq!(http2.receive(&bytes[..20], &mut out), Ok(12));
        assert_eq!(http2.next_message(1), Ok(None));
        assert_eq!(http2.receive(&bytes[12..], &mut out), Ok(bytes.len() - 12));
        assert_eq!(http2.next_message(0), Ok(None));
        assert_eq!(http2.next_message(1), Ok(Some(b"abc".to_vec())));
        assert_eq!(http2.next_message(1), Ok(None));
    }

    #[test]
    fn settings_and_pings_are_acknowledged_once() {
        let (mut http2, mut out) = (Http2::new(1), Vec::new());
        let bytes =
            [frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, ACK, 0, &[]), frame(PING, 0, 0, &[9; 8])].concat();
        http2.receive(&bytes, &mut out).unwrap();
        assert_eq!(out, [frame(SETTINGS, ACK, 0, &[]), frame(PING, ACK, 0, &[9; 8])].concat());
    }

    #[test]
    fn a_message_beyond_the_window_waits_for_the_update() {
        let (mut http2, mut out) = (Http2::new(1), Vec::new());
        for _ in 0..7 {
            http2.send(0, &[1; 10_000], &mut out);
        }
        assert_eq!(out.len(), 6 * (FRAME_HEAD + MESSAGE_HEAD + 10_000));
        let update = |stream| frame(WINDOW_UPDATE, 0, stream, &10_000_u32.to_be_bytes());
        http2.receive(&[update(0), update(1)].concat(), &mut out).unwrap();
        assert_eq!(out.len(), 7 * (FRAME_HEAD + MESSAGE_HEAD + 10_000));
    }

    #[test]
    fn the_end_of_the_stream_is_an_error() {
        let (mut http2, mut out) = (Http2::new(1), Vec::new());
        let trailers = frame(HEADERS, END_STREAM | END_HEADERS, 1, b"grpc-status");
        assert!(http2.receive(&trailers, &mut out).is_err());
    }
}
