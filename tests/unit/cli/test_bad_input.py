"""Bad input of every command: an exit code, and an error that names the object and the fix; never a traceback."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RDWR, create_server

import pytest

Run = Callable[..., tuple[int, str, str]]

PATHS = {
    "empty.yaml": b"",
    "binary.yaml": b"\xff\xfe\x00",
    "broken.yaml": b"a: [",
    "unnamed.yaml": b"apiVersion: v1\nkind: Service\n",
    "other.json": b"{}",
    "unknown-key.yaml": b"lisen: [127.0.0.1:0]\n",
    "wrong-type.yaml": b"listen: 5\n",
    "two-lines": b"0123456789abcdef\nfedcba9876543210\n",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with files of all sorts."""
    for name, content in PATHS.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("STEERWAY_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("steerway.runtime.signals.ignore", lambda: None)
    return tmp_path


def refused(steerway: Run, command: str, code: int, *wanted: str) -> None:
    """The command prints nothing but an error with all of `wanted`."""
    exit_code, out, err = steerway(*command.split("|"))
    assert (exit_code, out) == (code, "")
    assert [text for text in wanted if text not in err] == []


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("serve", ["--files", "--kubernetes"]),
        ("serve|--files|none", ["--files none does not exist", "--files-optional"]),
        ("serve|--files|", ["--files", "not ''"]),
        ("serve|--files|folder|--listen|127.0.0.1:99999", ["--listen", "up to 65535", "'127.0.0.1:99999'"]),
        ("serve|--files|folder|--listen|127.0.0.1", ["--listen", "HOST:PORT", "'127.0.0.1'"]),
        ("serve|--files|folder|--admin|:99999", ["--admin", "up to 65535"]),
        ("serve|--files|folder|--rest-listen|x:70000", ["--rest-listen", "up to 65535"]),
        ("serve|--files|folder|--drain-seconds|-1", ["--drain-seconds", "from 0 to 86400"]),
        ("serve|--files|folder|--namespace|A B", ["--namespace", "'A B'"]),
        ("serve|--files|folder|extra", ["unexpected extra argument (extra)"]),
        ("serve|--config|none.yaml", ["none.yaml", "No such file"]),
        ("serve|--config|folder", ["folder", "Is a directory"]),
        ("serve|--config|binary.yaml", ["binary.yaml", "not UTF-8"]),
        ("serve|--config|broken.yaml", ["broken.yaml:", "not valid YAML"]),
        ("serve|--config|unknown-key.yaml", ["unknown-key.yaml:1", "unknown key lisen", "listen"]),
        ("serve|--config|wrong-type.yaml", ["wrong-type.yaml:1", "listen must be", "not 5"]),
    ],
)
def test_serve(steerway: Run, command: str, wanted: list[str]) -> None:
    """Nothing is started."""
    refused(steerway, command, 2, *wanted)


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("check|none.yaml", ["none.yaml", "No such file", "check that the path exists"]),
        ("check|empty.yaml", ["0 good, 0 broken"]),
        ("check|folder", ["0 good, 0 broken"]),
        ("check|binary.yaml", ["binary.yaml:1", "not UTF-8", "save the file as UTF-8"]),
        ("check|broken.yaml", ["broken.yaml:1", "not valid YAML", "fix the syntax"]),
        ("check|unnamed.yaml", ["unnamed.yaml:1", "metadata is missing", "add $.metadata"]),
        ("check|other.json", ["other.json:1", "add apiVersion and kind"]),
        ("check|loop.yaml", ["loop.yaml", "symbolic links"]),
        ("check|pipe.yaml", ["pipe.yaml", "named pipe"]),
        ("check|--config|none.yaml", ["none.yaml", "No such file"]),
        ("check|--config|folder", ["folder", "Is a directory"]),
        ("check|--config|unknown-key.yaml", ["unknown-key.yaml:1", "unknown key lisen"]),
    ],
)
def test_check_reports_on_stdout(steerway: Run, command: str, wanted: list[str]) -> None:
    """With the file and the fix; a report without a good object is a failure."""
    code, out, _ = steerway(*command.split("|"))
    assert code == 1
    assert [text for text in wanted if text not in out] == []


@pytest.mark.parametrize(
    ("command", "code", "wanted"),
    [
        ("check", 2, ["nothing to check", "--config FILE"]),
        ("check|", 2, ["the path is empty", "'.'"]),
        ("explain", 2, ["Missing argument 'TARGET'"]),
        ("explain||--files|folder", 1, ["the target is empty", "dial xds:///"]),
        ("explain|dns:///backend|--files|folder", 1, ["the scheme 'dns'", "dial xds:///backend"]),
        ("explain|dns:///backend|--admin|127.0.0.1:1", 1, ["the scheme 'dns'", "dial xds:///backend"]),
        (
            "explain|xds://backend|--files|folder",
            1,
            ["has no name", "dial xds:///backend, with three slashes"],
        ),
        ("explain|xds://a/b|--files|folder", 1, ["has the authority 'a'"]),
        ("explain|xds:///a:99999|--files|folder", 1, ["port 99999", "use 1 to 65535"]),
        ("explain|xds:///a b|--files|folder", 1, ["'a b'"]),
        ("explain|xds:///a|--files|folder", 1, ["service default/a not found"]),
        ("explain|xds:///a|--files|", 2, ["'--files'", "the path is empty"]),
        ("explain|xds:///a|--files|none", 2, ["--files none does not exist", "correct the path"]),
        ("explain|xds:///a|--files|binary.yaml", 1, ["binary.yaml:1", "not UTF-8", "steerway check"]),
        ("explain|xds:///a|--files|pipe.yaml", 1, ["pipe.yaml", "named pipe"]),
        ("explain|xds:///a|--files|folder|--client|foo", 2, ["'foo' is no client", "grpc-go"]),
        ("endpoints|xds:///a|--client|foo", 2, ["'foo' is no client", "grpc-go"]),
        ("explain|xds:///a|--files|folder|--namespace|A B", 1, ["'A B'", "namespace"]),
        ("explain|xds:///a|--files|folder|--node-zone|!", 1, ["'!'", "zone"]),
        ("explain|xds:///a|--admin|", 2, ["--admin"]),
        ("explain|xds:///a|--admin|x:99999", 2, ["'x:99999' is not http://HOST:PORT"]),
        ("explain|xds:///a|--admin|http://[", 2, ["is not http://HOST:PORT"]),
        ("explain|xds:///a|--admin|ftp://x", 2, ["'ftp://x' is not http://HOST:PORT"]),
        ("explain|xds:///a|--admin|http://me:pw@x", 2, ["is not http://HOST:PORT"]),
        ("explain|xds:///a|--admin|127.0.0.1:1", 1, ["127.0.0.1:1", "steerway serve", "--files DIR"]),
        ("explain|xds:///a|--token-file|none", 1, ["--token-file none", "No such file"]),
        ("explain|xds:///a|--token-file|folder", 1, ["--token-file folder", "Is a directory"]),
        ("explain|xds:///a|--token-file|empty.yaml", 1, ["empty.yaml must contain one token"]),
        ("explain|xds:///a|--token-file|two-lines", 1, ["two-lines must contain one token, in one line"]),
        ("explain|xds:///a|--token-file|binary.yaml", 1, ["binary.yaml contains no token"]),
        ("explain|xds:///a|--output|yaml", 2, ["'--output'", "'json'"]),
        ("crd|extra", 2, ["unexpected extra argument (extra)"]),
        ("version|extra", 2, ["unexpected extra argument (extra)"]),
        ("completion|tcsh", 2, ["'tcsh'", "'bash'"]),
        ("completion", 2, ["Missing argument", "bash"]),
        ("none", 2, ["No such command 'none'"]),
        ("--none", 2, ["No such option", "--none"]),
    ],
)
def test_other_commands(steerway: Run, command: str, code: int, wanted: list[str]) -> None:
    """Exit code 2 where the command line is wrong, 1 where what it names is."""
    refused(steerway, command, code, *wanted)


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Starts a server that answers each connection with these bytes, and returns its address."""
    with create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def start(content: bytes) -> str:
            def answer() -> None:
                with suppress(OSError):  # of the end
                    while True:
                        connection, _ = listener.accept()
                        with connection:
                            connection.recv(1000)
                            connection.sendall(content)

            threads.append(threading.Thread(target=answer))
            threads[-1].start()
            return f"127.0.0.1:{listener.getsockname()[1]}"

        yield start
        listener.shutdown(SHUT_RDWR)
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "is not the admin address of a control plane"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "is not the admin address of a control plane"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "ended before the answer was complete"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "is it the admin address of steerway?"),
        (b"", "ended before the answer was complete"),
    ],
)
def test_another_server_at_the_admin_address(
    steerway: Run, answering: Callable[[bytes], str], content: bytes, wanted: str
) -> None:
    """The error names the address."""
    address = answering(content)
    refused(steerway, f"explain|xds:///a|--admin|{address}", 1, address, wanted)
