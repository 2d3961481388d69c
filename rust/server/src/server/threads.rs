//! The threads of a running server.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::service::Routes;

use crate::runtime::options::Options;
use crate::runtime::shard::Shard;
use crate::runtime::shared::Shared;
use crate::server::acceptor::AcceptorCommand;
use crate::server::shard_handle::{Command, ShardHandle};
use crate::server::shard_loop::ShardLoop;

/// One thread per shard, and that of the acceptor.
pub(crate) struct Threads {
    shards: Vec<ShardHandle>,
    acceptor: UnboundedSender<AcceptorCommand>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Start all threads; `acceptor` makes the main function of the acceptor's. On an error none is left.
    pub(crate) fn start<F: FnOnce() + Send + 'static>(
        shared: &Arc<Shared>,
        options: &Arc<Options>,
        routes: &Routes,
        acceptor: impl FnOnce(Vec<ShardHandle>, UnboundedReceiver<AcceptorCommand>) -> F,
    ) -> io::Result<Threads> {
        let (sender, commands) = unbounded_channel();
        let mut threads = Threads { shards: Vec::new(), acceptor: sender, threads: Vec::new() };
        let started = threads.spawn_shards(shared, options, routes).and_then(|()| {
            let main = acceptor(threads.shards.clone(), commands);
            threads.threads.push(spawn_thread("steerway-accept".into(), main)?);
            Ok(())
        });
        match started {
            Ok(()) => Ok(threads),
            Err(error) => {
                threads.stop();
                Err(error)
            }
        }
    }

    fn spawn_shards(
        &mut self,
        shared: &Arc<Shared>,
        options: &Arc<Options>,
        routes: &Routes,
    ) -> io::Result<()> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if options.threads == 0 { cores() } else { options.threads };
        for index in 0..count {
            let (handle, commands, load) = ShardHandle::new();
            let (shared, options, routes) = (Arc::clone(shared), Arc::clone(options), routes.clone());
            let runtime = runtime()?;
            self.threads.push(spawn_thread(format!("steerway-{index}"), move || {
                let shard = Shard::new((index, count), shared, options, routes);
                runtime.block_on(ShardLoop::new(shard, load).run(commands));
            })?);
            self.shards.push(handle);
        }
        Ok(())
    }

    pub(crate) fn shards(&self) -> &[ShardHandle] {
        &self.shards
    }

    /// An acceptor that has stopped ignores commands.
    pub(crate) fn send_acceptor(&self, command: AcceptorCommand) {
        let _ = self.acceptor.send(command);
    }

    /// End all threads and wait for them.
    pub(crate) fn stop(self) {
        self.send_acceptor(AcceptorCommand::Stop);
        self.shards.iter().for_each(|shard| shard.send(Command::Stop));
        for thread in self.threads {
            // A thread that panicked has aborted the process.
            let _ = thread.join();
        }
    }
}

pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

/// Panics of streams are caught one by one. A panic outside of them leaves a server that holds connections and never
/// answers, so the process aborts and is restarted.
fn spawn_thread(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            std::process::abort();
        }
    };
    std::thread::Builder::new().name(name).spawn(guarded)
}
