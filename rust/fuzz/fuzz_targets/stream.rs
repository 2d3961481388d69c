//! Any streams and any events on them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (
    Vec<steerway_fuzz::event::Opening>,
    Vec<steerway_fuzz::event::Event>
)| {
    steerway_fuzz::stream::run(input.0, input.1);
});
