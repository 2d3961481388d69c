//! How many connections the limit of open files leaves room for.

/// Open files reserved for everything but connections: the admin server, the sources, the threads.
const OTHER_FILES: usize = 256;

/// Connections that fit into a limit of `files` open files.
pub fn connections_within(files: usize) -> usize {
    files.saturating_sub(OTHER_FILES).max(files / 2)
}

/// Connections that fit into the limit of this process.
pub(crate) fn connections_within_process_limit() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    connections_within(files.map_or(usize::MAX, |files| files as usize))
}
