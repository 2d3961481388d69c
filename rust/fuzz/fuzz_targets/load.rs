//! Any bytes as load reports.
#![no_main]

libfuzzer_sys::fuzz_target!(|reports: Vec<&[u8]>| steerway_fuzz::load::run(&reports));
