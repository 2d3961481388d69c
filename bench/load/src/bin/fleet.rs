//! `fleet --server HOST:PORT --clients N --protocol xds --layout hot --services S --endpoints E`
//! `fleet --server HOST:PORT --clients N --protocol raw --bytes B`

use std::process::ExitCode;

use steerway_bench_load::control::argument;
use steerway_bench_load::discovery::{Discovery, Mesh, SUBSCRIPTIONS};
use steerway_bench_load::fleet::Fleet;
use steerway_bench_load::raw::{HEAD, Raw, Size};

fn run() -> Result<(), String> {
    let server: String = argument("--server")?;
    let clients = argument("--clients")?;
    match argument::<String>("--protocol")?.as_str() {
        "xds" => {
            let services: usize = argument("--services")?;
            if services < SUBSCRIPTIONS {
                return Err(format!("--services: at least {SUBSCRIPTIONS}"));
            }
            let mesh = Mesh::new(argument("--layout")?, clients, services, argument("--endpoints")?);
            Fleet::<Discovery>::new(mesh)?.run(&server, clients, SUBSCRIPTIONS)
        }
        "raw" => {
            let bytes: usize = argument("--bytes")?;
            if bytes < HEAD {
                return Err(format!("--bytes: at least {HEAD}"));
            }
            Fleet::<Raw>::new(Size { clients, bytes })?.run(&server, clients, 1)
        }
        other => Err(format!("--protocol: {other:?} is neither xds nor raw")),
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
