"""`make audit`: which advisories apply to a pinned version, and the error for missing advisory data."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.audit.__main__ import ROOT
from tests.audit.advisory import DatabaseError, findings, pins

RANGE = [{"introduced": "1.2"}, {"fixed": "1.4.1"}, {"introduced": "2.0"}, {"last_affected": "2.3"}]
AFFECTED = {
    "package": {"ecosystem": "PyPI", "name": "Some_Package"},
    "versions": ["0.9", "no version"],
    "ranges": [{"type": "ECOSYSTEM", "events": RANGE}, {"type": "GIT", "events": [{"introduced": "0"}]}],
}
ADVISORY = {"id": "PYSEC-1", "aliases": ["CVE-1"], "affected": [AFFECTED]}
TEXT = "some.package {}: PYSEC-1, CVE-1; fixed in 1.4.1"


def _database(directory: Path, **changes: object) -> Path:
    folder = directory / "vulns" / "some-package"
    folder.mkdir(parents=True)
    (folder / "PYSEC-1.yaml").write_text(yaml.safe_dump(ADVISORY | changes))
    return directory


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("0.9.0", True),
        ("1.0", False),
        ("1.2", True),
        ("1.4.1rc1", True),
        ("1.4.1", False),
        ("1.10", False),
        ("2.3", True),
        ("2.3.1", False),
    ],
)
def test_versions_are_matched_by_lists_and_ranges(tmp_path: Path, version: str, affected: bool) -> None:
    """As the OSV schema specifies; names are compared in their normalized form."""
    result = findings(_database(tmp_path), {"some.package": version, "other": "1.2"})
    assert [str(finding) for finding in result] == [TEXT.format(version)] * affected


@pytest.mark.parametrize(
    "changes",
    [
        {"withdrawn": "2024-01-01T00:00:00Z"},
        {"affected": [AFFECTED | {"package": {"ecosystem": "npm", "name": "some-package"}}]},
        {"affected": [AFFECTED | {"package": {"ecosystem": "PyPI", "name": "another"}}]},
    ],
)
def test_withdrawn_advisories_and_other_packages_are_ignored(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    assert findings(_database(tmp_path, **changes), {"some-package": "1.2"}) == []


def test_another_directory_is_no_database(tmp_path: Path) -> None:
    """It would pass as a database without advisories."""
    with pytest.raises(DatabaseError, match="no copy of the PyPA advisory database"):
        findings(tmp_path, {"some-package": "1.2"})


def test_all_pinned_packages_are_looked_up() -> None:
    """Each line of constraints.txt except comments and hashes."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    packages = [line for line in lines if not line.strip().startswith(("#", "--hash"))]
    assert len(pins("\n".join(lines))) == len(packages) > 50
    assert not any(set(version) & set(" ;\\") for version in pins("\n".join(lines)).values())


def _tool(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _audit(tools: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.audit", "--tools", str(tools), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_missing_data_fails_with_a_hint(tmp_path: Path) -> None:
    """Neither database can be reached: the other audits run, and a message for each names the data."""
    _tool(tmp_path / "bin/cargo-deny", 'case "$*" in *fetch*) echo "fatal: no such host" >&2; exit 1;; esac')
    skipped = '{"dependencies": [{"name": "a", "skip_reason": "not found"}]}'
    _tool(tmp_path / "venv/bin/pip-audit", f"echo '{skipped}'; exit 1")
    answer = _audit(tmp_path)
    assert answer.returncode == 1
    for text in (
        "fatal: no such host",
        "RUST_ADVISORIES=DIR",
        "1 of 1 packages: not found",
        "PYTHON_ADVISORIES=DIR",
    ):
        assert answer.stderr.count(text) == 1, answer.stderr


@pytest.mark.parametrize(("fixed", "code"), [(False, 1), (True, 0)])
def test_an_advisory_fails(tmp_path: Path, fixed: bool, code: int) -> None:
    """Of a package, with a copy of the database; the exit code of cargo-deny is used as it is."""
    _tool(tmp_path / "bin/cargo-deny", "exit 0")
    pinned = pins((ROOT / "constraints.txt").read_text())["aiohttp"]
    affected = {
        "package": {"ecosystem": "PyPI", "name": "aiohttp"},
        "versions": ["0.1"] if fixed else [pinned],
    }
    database = _database(tmp_path, affected=[affected])
    (database / "vulns" / "some-package").rename(database / "vulns" / "aiohttp")
    answer = _audit(tmp_path, "--python-advisories", str(database), "--rust-advisories", str(tmp_path))
    assert answer.returncode == code, answer.stderr
    assert (f"aiohttp {pinned}: PYSEC-1" in answer.stdout) != fixed
