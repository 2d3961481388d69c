"""Runs one ring of tests beside others: `ring.py NAME COMMAND...`. Its output is printed in one piece when it ends.

Until then it is in `build/log/NAME.log`. The exit code is that of the command. SIGINT reaches the command from the
terminal; SIGTERM is passed on as SIGINT, since runners of tests end their processes after that. After either the ring
ends by SIGINT too, so that a shell that goes on after a failed ring does not go on after an interrupted one.
"""

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

LOGS = Path("build/log")


def run(name: str, command: list[str]) -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    print(f"== {name}: running, log in {log}", flush=True)
    began = time.monotonic()
    interrupted: list[int] = []
    with log.open("wb") as output:
        # Without close_fds: make passes its job server as open files.
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, close_fds=False)

        def pass_on(number: int, _frame: object) -> None:
            interrupted.append(number)
            if number == signal.SIGTERM:
                process.send_signal(signal.SIGINT)

        signal.signal(signal.SIGINT, pass_on)
        signal.signal(signal.SIGTERM, pass_on)
        code = process.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = "passed" if code == 0 else f"failed with exit code {code}"
    seconds = f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of CPU"
    with (LOGS / ".lock").open("w") as lock, log.open("rb") as content:
        fcntl.flock(lock, fcntl.LOCK_EX)
        print(f"== {name}: log", flush=True)
        shutil.copyfileobj(content, sys.stdout.buffer)
        print(f"== {name}: {result} ({seconds})", flush=True)
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
