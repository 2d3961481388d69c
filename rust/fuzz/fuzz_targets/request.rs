//! Any bytes as requests, on streams of both protocols: an answer or a status, never a panic, and an index that agrees.
#![no_main]

use libfuzzer_sys::fuzz_target;
use steerway_engine::{Protocol, Service};

#[path = "../../engine/tests/protocol/wire.rs"]
mod wire;
#[path = "../../engine/tests/protocol/world.rs"]
#[allow(dead_code)]
mod world;

use world::{AUDIENCE, CDS, EDS, World, complete, put};

fuzz_target!(|messages: Vec<Vec<u8>>| {
    for protocol in [Protocol::Sotw, Protocol::Delta] {
        for service in [Service::Ads, Service::PerType(CDS)] {
            let mut world = World::serving([put(CDS, "a", "1"), put(EDS, "b", "2"), complete(CDS)]);
            let stream = world.open_service(protocol, service);
            for message in &messages {
                // A status ends the stream: nothing more is heard of it.
                if world.hear_bytes(stream, message).is_err() {
                    break;
                }
                world.classify(stream, AUDIENCE);
                world.pump(stream);
            }
        }
    }
});
