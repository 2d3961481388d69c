"""`make audit`: licenses, sources and bans of the crates, and advisories about crates and Python
packages.

Exit code 1 for an advisory or a violation, and when advisory data is missing: an audit without data must
not pass.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tests.audit.advisory import DatabaseError, findings, pins

ROOT = Path(__file__).parents[2]
_CRATES = ROOT / "rust" / "Cargo.toml"
_DENY = ROOT / "rust" / "deny.toml"
_PINNED = ROOT / "constraints.txt"


class MissingDataError(Exception):
    """Advisory data is not available; the text names it, and how to provide it."""


def main() -> int:
    """Run every audit, also after one that fails."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--tools", type=Path, required=True, help="directory of cargo-deny and pip-audit")
    parser.add_argument(
        "--rust-advisories", type=Path, help="a git clone of the RustSec database; default: its origin"
    )
    parser.add_argument(
        "--python-advisories", type=Path, help="a copy of the PyPA database; default: the index's API"
    )
    options = parser.parse_args()
    audits = {
        "crates: licenses, sources, bans": lambda: _succeeds(
            _deny(options.tools, _DENY, "check", "--hide-inclusion-graph", "licenses", "sources", "bans")
        ),
        "crates: advisories": lambda: _crates(options.tools, options.rust_advisories),
        "Python packages: advisories": lambda: _packages(options.tools, options.python_advisories),
    }
    failed = []
    for name, audit in audits.items():
        print(f"audit: {name}", flush=True)
        try:
            if not audit():
                failed.append(name)
        except MissingDataError as error:
            print(f"audit: {error}", file=sys.stderr)
            failed.append(f"{name} (data is missing)")
    print(f"audit: failed: {'; '.join(failed)}" if failed else "audit: nothing found", file=sys.stderr)
    return 1 if failed else 0


def _deny(tools: Path, configuration: Path, *arguments: str) -> list[str]:
    options = ["--manifest-path", str(_CRATES), "--config", str(configuration), "--locked"]
    return [str(tools / "bin" / "cargo-deny"), *options, *arguments]


def _crates(tools: Path, database: Path | None) -> bool:
    """Advisories about the crates in Cargo.lock."""
    with tempfile.TemporaryDirectory() as directory:
        configuration, environment = _DENY, dict(os.environ)
        if database is not None:
            _show_age("RustSec", database)
            # cargo-deny takes no path; git, which it calls, takes one in place of the database's URL.
            configuration = Path(directory) / _DENY.name
            settings = _DENY.read_text()
            section = f"[advisories]\ndb-path = {json.dumps(directory)}\n"
            configuration.write_text(settings.replace("[advisories]\n", section))
            (origin,) = tomllib.loads(settings)["advisories"]["db-urls"]
            environment |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"url.{database.absolute().as_uri()}.insteadOf",
                "GIT_CONFIG_VALUE_0": origin,
            }
        fetch = _deny(tools, configuration, "fetch", "db")
        fetched = subprocess.run(fetch, env=environment, capture_output=True, text=True, check=False)
        if fetched.returncode != 0:
            source = "its origin" if database is None else database
            raise MissingDataError(
                f"the RustSec advisory database cannot be fetched from {source}: {_cause(fetched.stderr)}\n"
                "audit: give a git clone of github.com/rustsec/advisory-db: make audit RUST_ADVISORIES=DIR"
            )
        return _succeeds(
            _deny(tools, configuration, "--offline", "check", "--hide-inclusion-graph", "advisories")
        )


def _packages(tools: Path, database: Path | None) -> bool:
    """Advisories about the packages in constraints.txt."""
    if database is None:
        return _packages_online(tools)
    _show_age("PyPA", database)
    pinned = pins(_PINNED.read_text())
    try:
        result = findings(database, pinned)
    except DatabaseError as error:
        raise MissingDataError(error) from None
    for finding in result:
        print(finding)
    print(f"{len(pinned)} packages, {len(result)} advisories")
    return not result


def _packages_online(tools: Path) -> bool:
    command = [str(tools / "venv" / "bin" / "pip-audit"), "--no-deps", "--disable-pip", "--format", "json"]
    command += ["--progress-spinner", "off", "--requirement", str(_PINNED)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(answer.stdout)["dependencies"]
        skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
        lost = f"{len(skipped)} of {len(packages)} packages: {skipped[0]}" if skipped else ""
    except (ValueError, KeyError):
        packages, lost = [], _cause(answer.stderr)
    if lost:
        raise MissingDataError(
            f"the Python Package Index does not give advisories: {lost}\n"
            "audit: give a clone of github.com/pypa/advisory-database: make audit PYTHON_ADVISORIES=DIR"
        )
    results = [(package, advisory) for package in packages for advisory in package["vulns"]]
    for package, advisory in results:
        fixed = ", ".join(advisory["fix_versions"]) or "no version"
        print(f"{package['name']} {package['version']}: {advisory['id']}; fixed in {fixed}")
    print(f"{len(packages)} packages, {len(results)} advisories")
    return not results


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, check=False).returncode == 0


def _show_age(name: str, database: Path) -> None:
    """The date of the last commit: later advisories are missing."""
    git = ["git", "-C", str(database), "log", "-1", "--format=%cs"]
    day = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    print(f"advisories of {name} as of {day or 'an unknown date'}: {database}", flush=True)


def _cause(text: str) -> str:
    """The line of an output with the error: git's, or the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next(
        (line for line in lines if line.startswith("fatal:")), lines[-1] if lines else "no reason is given"
    )


if __name__ == "__main__":
    sys.exit(main())
