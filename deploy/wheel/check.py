"""Installs a wheel as a user does and makes a call through it: `check.py WHEEL`.

Into a new environment with only the pinned dependencies, without Rust and the checkout in the path: the commands
answer, the engine needs no newer glibc than the wheel states, and a real gRPC client reaches a server through
`steerway serve`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "image" / "requirements.txt"
CALL = """
import concurrent.futures, pathlib, subprocess, sys
import grpc

steerway, folder = sys.argv[1], pathlib.Path(sys.argv[2])
echo = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
server = grpc.server(concurrent.futures.ThreadPoolExecutor())
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Echo", {"Call": echo})])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
(folder / "mapping.yaml").write_text(f"backend: {{zone: [{{ip: 127.0.0.1, port: {port}, zone: zone}}]}}\\n")
command = [steerway, "serve", "--files", str(folder), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as control_plane:
    try:
        address = control_plane.stdout.readline().split()[-1]
        bootstrap = subprocess.check_output([steerway, "bootstrap", "--server", address], text=True)
        import os
        os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = bootstrap
        with grpc.insecure_channel("xds:///backend") as channel:
            print(channel.unary_unary("/Echo/Call")(b"answered", timeout=30).decode())
    finally:
        control_plane.terminate()
        server.stop(None)
"""


def main(wheel: Path) -> int:
    """Print what was checked; 1 and the reason when a check fails."""
    with tempfile.TemporaryDirectory(prefix="steerway-wheel-") as folder:
        root = Path(folder)
        environ = {"PATH": f"{root / 'venv' / 'bin'}:/usr/bin:/bin", "HOME": folder}
        pip = [str(root / "venv" / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        venv.create(root / "venv", with_pip=True)
        _run([*pip, "install", "--require-hashes", "--requirement", str(REQUIREMENTS)], os.environ)
        _run([*pip, "install", "--no-index", str(wheel)], environ)
        _run([*pip, "check"], environ)
        steerway = str(root / "venv" / "bin" / "steerway")
        version = _run([steerway, "version"], environ).split()[1]
        if version != wheel.name.split("-")[1]:
            return _fail(f"{wheel.name} has version {version}")
        _run([str(root / "venv" / "bin" / "kubectl-steerway"), "--help"], environ)
        if newer := _too_new(next((root / "venv").rglob("_engine.abi3.so")), wheel.name):
            return _fail(f"the engine needs glibc {newer}, and the wheel states {wheel.name}")
        (root / "files").mkdir()
        (root / "files" / "mapping.yaml").write_text(
            "backend: {zone: [{ip: 127.0.0.1, port: 1, zone: zone}]}\n"
        )
        _run([steerway, "check", str(root / "files")], environ)
        (root / "call.py").write_text(CALL)
        call = [pip[0], str(root / "call.py"), steerway, str(root / "files")]
        if (answer := _run(call, environ).strip()) != "answered":
            return _fail(f"the call through steerway gave {answer}")
    print(
        json.dumps({"wheel": wheel.name, "bytes": wheel.stat().st_size, "version": version, "call": answer})
    )
    return 0


def _run(command: list[str], environ: "os._Environ[str] | dict[str, str]") -> str:
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=False, timeout=300)
    if done.returncode:
        raise SystemExit(f"check.py: exit code {done.returncode} of {' '.join(command)}\n{done.stdout}")
    return done.stdout


def _too_new(library: Path, wheel: str) -> str:
    """The newest version of glibc that the library names, when it is newer than the tag of the wheel; else ""."""
    named = {tuple(map(int, match)) for match in re.findall(rb"GLIBC_(\d+)\.(\d+)", library.read_bytes())}
    stated = re.search(r"manylinux_(\d+)_(\d+)", wheel)
    newest = max(named)
    fits = stated is not None and newest <= tuple(map(int, stated.groups()))
    return "" if fits else ".".join(map(str, newest))


def _fail(reason: str) -> int:
    print(f"check.py: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
