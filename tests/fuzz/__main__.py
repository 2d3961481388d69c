"""`python -m tests.fuzz --seconds 600`: mutated inputs for each target; a failing input is written to build/fuzz."""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from steerway.log import setup
from tests.fuzz import campaign, seeds
from tests.fuzz.system import InputError

FAILURES = Path("build/fuzz")


def main() -> int:
    """Run; exit code 1 when an input fails."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="for each target")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--input", type=Path, help="run this file of the corpus or of build/fuzz alone")
    parser.add_argument("targets", nargs="*", default=list(campaign.TARGETS))
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else secrets.randbelow(2**32)
    setup.configure("text", "error")
    for target in options.targets:
        with tempfile.TemporaryDirectory() as directory:
            started = time.monotonic()
            try:
                if options.input is not None:
                    with campaign.System(Path(directory), seeds.base()) as system:
                        campaign.replay(system, target, options.input.name, options.input.read_bytes())
                    continue
                done = campaign.run(
                    target, seed, campaign.seconds(options.seconds), Path(directory), FAILURES / target
                )
            except InputError as error:
                print(f"fuzz {target}: seed {seed}: {error}", file=sys.stderr)
                print(
                    f"the input is in {FAILURES / target}; when it is fixed, move it to tests/fuzz/corpus",
                    file=sys.stderr,
                )
                return 1
        print(f"fuzz {target}: {done} inputs in {time.monotonic() - started:.0f} s, seed {seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
