"""`steerway bug-report` of replicas at addresses: what is in the archive, and what is noted as missing."""

import json
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

from tests.support.admin_replica import AdminReplica
from tests.unit.cli.view.conftest import listed, service, status

Run = Callable[..., tuple[int, str, str]]


def read(path: Path) -> dict[str, str]:
    """Files by name, below the folder of the archive."""
    with tarfile.open(path) as archive:
        contents = {}
        for member in archive.getmembers():
            file = archive.extractfile(member)
            assert file is not None
            contents[member.name.partition("/")[2]] = file.read().decode()
    return contents


def test_documents_of_replicas(steerway: Run, tmp_path: Path) -> None:
    """Secrets are removed; what a replica does not have is in the manifest, with the reason."""
    problems = {"problems": [{"where": "x", "reason": "token=planted-secret", "hint": ""}]}
    documents = {
        "/api/v1/status": status("a"),
        "/api/v1/services": listed(service("a"), service("b")),
        "/api/v1/problems": problems,
        "/metrics": {"text": "steerway_streams 3"},
    }
    path = tmp_path / "report.tar.gz"
    with AdminReplica(documents, page_items=1) as replica:
        code, out, err = steerway("bug-report", "-o", str(path), "--address", replica.address)
    assert (code, out) == (0, f"{path}: 6 files\n")
    files = read(path)
    folder = f"replicas/{replica_folder(files)}"
    assert json.loads(files[f"{folder}/status.json"])["version"] == "0.2.0"
    assert len(json.loads(files[f"{folder}/services.json"])["items"]) == 2
    assert "steerway_streams 3" in files[f"{folder}/metrics.txt"]
    assert "planted-secret" not in "".join(files.values())
    manifest = json.loads(files["manifest.json"])
    assert {entry["file"] for entry in manifest["collected"]} == files.keys() - {"manifest.json"}
    missing = {entry["file"].rpartition("/")[2]: entry["reason"] for entry in manifest["failed"]}
    assert missing.keys() == {"streams.json", "loads.json", "clients.json", "changes.json"}
    assert "does not have /api/v1/clients" in missing["clients.json"]
    assert "clients.json is missing" in err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def replica_folder(files: dict[str, str]) -> str:
    (name,) = {file.split("/")[1] for file in files if file.startswith("replicas/")}
    return name


def test_no_replica_and_no_file(steerway: Run, tmp_path: Path) -> None:
    """The archive has the reason, and the exit code is 1; a path that cannot be written is an error."""
    path = tmp_path / "report.tar.gz"
    code, _, err = steerway("bug-report", "-o", str(path), "--address", "unix:/does/not/exist")
    assert code == 1
    assert "no control plane answers" in err
    assert json.loads(read(path)["manifest.json"])["failed"]
    code, _, err = steerway("bug-report", "-o", str(tmp_path / "no" / "r.tar.gz"), "--address", "a:1")
    assert code == 2
    assert "cannot be written: No such file" in err
