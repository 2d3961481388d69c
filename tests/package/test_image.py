"""The root file system of the image: what is in it, and `steerway serve` as Kubernetes runs it."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from testbed.process.process import Process, Processes

pytestmark = pytest.mark.needs("image")

USER = 65532
SERVICES = 1000
MAX_UNPACKED_BYTES = 230 * 10**6
MAX_COMPRESSED_BYTES = 120 * 10**6
# Mounts as a container runtime makes them: the root read-only, /proc, and one volume.
_STARTER = """
mount --make-rprivate / && mount --bind "$1" "$1" && mount --bind "$2" "$1/run" && mount -t proc proc "$1/proc" \\
  && mount -o remount,bind,ro "$1" && exec chroot --userspec="$3:$3" "$1" "${@:4}"
"""


def isolated(image: Path, volume: Path, *command: str) -> list[str]:
    """A command that runs in the image: as its user, with a read-only root and processes of its own."""
    unshare = ["/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/bash", "-c", _STARTER]
    return [*unshare, "bash", str(image), str(volume), str(USER), *command]


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A folder that the user of the image can read."""
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


def test_it_has_no_shell_and_nothing_to_write(image: Path) -> None:
    """Nothing but Python, libraries, licenses and steerway; no file is set-user-ID or writable by its user."""
    programs = {
        file.name for folder in ("bin", "sbin", "usr/bin", "usr/sbin") for file in (image / folder).glob("*")
    }
    assert programs == {"python3", "python3.11"}
    assert {file.name for file in (image / "usr/local/bin").iterdir()} == {"steerway", "kubectl-steerway"}
    files = [file for file in image.rglob("*") if not file.is_symlink()]
    assert len(files) > 5000
    writable = {
        str(file.relative_to(image))
        for file in files
        if file.stat().st_uid == USER or file.stat().st_mode & (stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID)
    }
    assert writable <= {"tmp", "var/tmp", "run/lock"}


def test_it_is_small(image: Path) -> None:
    """Bounds for what is pulled by each node and kept there."""
    unpacked = sum(file.lstat().st_size for file in image.rglob("*"))
    tar = subprocess.Popen(["tar", "-C", str(image), "-c", "."], stdout=subprocess.PIPE)
    packed = subprocess.run(["gzip", "-1"], stdin=tar.stdout, stdout=subprocess.PIPE, check=True).stdout
    assert tar.wait() == 0
    print(f"image: {unpacked / 1e6:.0f} MB, {len(packed) / 1e6:.0f} MB with gzip -1")
    assert unpacked < MAX_UNPACKED_BYTES
    assert len(packed) < MAX_COMPRESSED_BYTES


def test_scanners_can_identify_the_packages(image: Path) -> None:
    """The control files of Debian, the metadata of Python, and the licenses of both."""
    packages = {file.name for file in (image / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "libssl3", "python3.11-minimal"} <= packages
    assert (image / "usr/share/doc/libc6/copyright").is_file()
    assert list(image.glob("usr/local/lib/python3.11/dist-packages/steerway-*.dist-info/METADATA"))
    assert "bookworm" in (image / "usr/lib/os-release").read_text()


def test_every_module_has_bytecode(image: Path) -> None:
    """A read-only root cannot keep what a start compiles."""
    modules = [file for file in image.rglob("*.py") if "dist-packages" in file.parts]
    assert len(modules) > 1000
    assert [
        file for file in modules if not list(file.parent.glob(f"__pycache__/{file.stem}.cpython-311.pyc"))
    ] == []


def test_it_serves_a_thousand_services(image: Path, volume: Path) -> None:
    """As another user, with a read-only root file system, without a home directory; SIGTERM ends it in order."""
    (volume / "services.yaml").write_text("---\n".join(manifests(number) for number in range(SERVICES)))
    addresses = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    serve = ["/usr/local/bin/steerway", "serve", "--files", "/run", *addresses, "--drain-seconds", "0"]
    with Processes() as processes:
        process = processes.start("steerway serve", isolated(image, volume, *serve), HOME="/nonexistent")
        process.wait(lambda: any(f"services={SERVICES}" in line for line in process.errors), "serving")
        assert any(line.startswith("listening on 127.0.0.1:") for line in process.lines)
        (child,) = children(process)
        status = (Path("/proc") / str(child) / "status").read_text()
        assert re.search(rf"^Uid:\t{USER}\t{USER}\t{USER}\t{USER}$", status, re.MULTILINE)
        os.kill(child, 15)
        assert process.ended() == 0, process.complaint("did not end in order")


def test_it_verifies_servers_by_the_authorities_of_debian(image: Path, volume: Path) -> None:
    """As at an API server or a URL of keys without an authority of its own."""
    program = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"
    command = isolated(image, volume, "/usr/bin/python3", "-c", program)
    assert int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) > 100


def children(process: Process) -> list[int]:
    path = Path("/proc") / str(process.pid) / "task" / str(process.pid) / "children"
    return [int(number) for number in path.read_text().split()]


def manifests(number: int) -> str:
    """A Service with one endpoint."""
    name = {"name": f"service-{number}", "namespace": "shop"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": name,
        "spec": {"ports": [{"port": 50051, "name": "grpc"}]},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**name, "labels": {"kubernetes.io/service-name": name["name"]}},
        "addressType": "IPv4",
        "ports": [{"port": 50051, "name": "grpc"}],
        "endpoints": [{"addresses": [f"10.1.{number // 256}.{number % 256}"]}],
    }
    return yaml.safe_dump_all([service, endpoints])
