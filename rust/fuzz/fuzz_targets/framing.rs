//! Any frames, cut anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u16, Vec<steerway_fuzz::framing::Part>, Vec<u8>)| {
    steerway_fuzz::framing::run(input.0, input.1, input.2);
});
