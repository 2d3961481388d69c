//! Any bytes as the first and the second message of a stream.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (bool, &[u8])| steerway_fuzz::request::run(input.0, input.1));
