//! `fleet --server HOST:PORT --clients N --opening O --protocol sotw|delta --layout hot --streams K --services S
//! --endpoints E [--names svc-{}.bench:grpc] [--tls AUTHORITY.pem]`
//!
//! `fleet --server HOST:PORT --clients N --opening O --protocol raw --bytes B`

use std::process::ExitCode;

use steerway_bench_load::control::{argument, optional};
use steerway_bench_load::discovery::{Load, Mesh, SUBSCRIPTIONS, Streams};
use steerway_bench_load::fleet::Fleet;
use steerway_bench_load::raw::{HEAD, Raw, Size};
use steerway_bench_load::tls::Trust;

fn run() -> Result<(), String> {
    let server: String = argument("--server")?;
    let clients = argument("--clients")?;
    let opening = argument("--opening")?;
    match argument::<String>("--protocol")?.as_str() {
        protocol @ ("sotw" | "delta") => {
            let services: usize = argument("--services")?;
            if services < SUBSCRIPTIONS {
                return Err(format!("--services: at least {SUBSCRIPTIONS}"));
            }
            let streams = argument("--streams")?;
            let load = Load {
                layout: argument("--layout")?,
                delta: protocol == "delta",
                clients,
                streams,
                services,
                endpoints: argument("--endpoints")?,
                names: optional("--names").unwrap_or_else(|| "svc-{}.bench.svc.cluster.local:50051".into()),
            };
            let trust = optional("--tls").map(|path| Trust::read(&path)).transpose()?;
            Fleet::<Streams>::new(Mesh::new(load), trust)?.run(
                &server,
                clients,
                opening,
                streams * SUBSCRIPTIONS,
            )
        }
        "raw" => {
            let bytes: usize = argument("--bytes")?;
            if bytes < HEAD {
                return Err(format!("--bytes: at least {HEAD}"));
            }
            Fleet::<Raw>::new(Size { clients, bytes }, None)?.run(&server, clients, opening, 1)
        }
        other => Err(format!("--protocol: {other:?} is none of sotw, delta, raw")),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet: {error}");
            ExitCode::FAILURE
        }
    }
}
