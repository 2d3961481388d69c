//! The file of a Unix socket: created with its mode, replaced when stale, removed at the end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, chmod, fchmod};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind as bind_to, connect, listen, socket_with,
};

/// Owner and group may connect (unix(7): that takes write permission).
const MODE: Mode = Mode::from_raw_mode(0o660);

/// The file while this process listens on it. Dropping it removes the file, unless another process has replaced it.
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| identity(&file) == self.identity) {
            // Fails only when another process removes it at this moment.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Listen on a path. A socket without a process is replaced; a live one is `EADDRINUSE`.
pub(crate) fn bind(path: &Path, backlog: u32) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale(path)?;
    let address = SocketAddrUnix::new(path)?;
    let socket = unix_socket()?;
    // Linux creates the file with the mode of the socket, less the umask: it never allows more than at the end.
    fchmod(&socket, MODE)?;
    bind_to(&socket, &address)?;
    let file = SocketFile { path: path.into(), identity: identity(&fs::symlink_metadata(path)?) };
    chmod(path, MODE)?;
    listen(&socket, backlog as i32)?;
    Ok((UnixListener::from(socket), file))
}

fn unix_socket() -> io::Result<std::os::fd::OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// Only connecting shows whether a socket has a process.
fn remove_stale(path: &Path) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !file.file_type().is_socket() {
        return Err(io::Error::other("there is a file that is not a socket; remove it"));
    }
    match connect(unix_socket()?, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path),
        // EAGAIN: the process lives, and its queue is full.
        Ok(()) | Err(Errno::AGAIN) => Err(Errno::ADDRINUSE.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A temporary directory, removed at the end of the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let path = std::env::temp_dir().join(format!("steerway-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Directory(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("xds.sock")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn the_file_has_its_mode_and_is_removed_with_the_listener() {
        let directory = Directory::new("mode");
        let (listener, file) = bind(&directory.socket(), 1).unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o660);
        UnixStream::connect(file.path()).unwrap();
        drop((listener, file));
        assert!(!directory.socket().exists());
    }

    #[test]
    fn a_live_socket_is_kept_even_when_its_queue_is_full() {
        let directory = Directory::new("live");
        let live = bind(&directory.socket(), 0).unwrap();
        let _waiting = UnixStream::connect(live.1.path()).unwrap();
        let error = bind(&directory.socket(), 1).map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(directory.socket().exists());
    }

    #[test]
    fn a_socket_without_a_process_is_replaced() {
        let directory = Directory::new("stale");
        drop(UnixListener::bind(directory.socket()).unwrap());
        assert!(directory.socket().exists());
        let (_listener, file) = bind(&directory.socket(), 1).unwrap();
        UnixStream::connect(file.path()).unwrap();
    }

    #[test]
    fn a_file_that_is_not_a_socket_is_kept() {
        let directory = Directory::new("file");
        fs::write(directory.socket(), "precious").unwrap();
        let error = bind(&directory.socket(), 1).map(drop).unwrap_err();
        assert_eq!(error.to_string(), "there is a file that is not a socket; remove it");
        assert_eq!(fs::read(directory.socket()).unwrap(), b"precious");
    }

    #[test]
    fn the_socket_of_a_successor_is_kept() {
        let directory = Directory::new("successor");
        let (_listener, file) = bind(&directory.socket(), 1).unwrap();
        fs::remove_file(directory.socket()).unwrap();
        let _successor = UnixListener::bind(directory.socket()).unwrap();
        drop(file);
        assert!(directory.socket().exists());
    }
}
