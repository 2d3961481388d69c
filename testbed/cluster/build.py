"""Builds kubebox: etcd, the API server, the controllers, the scheduler and the kubelet, in one program.

From Go modules alone, without containers; minutes the first time (4 GB of Go's build cache), seconds to find it later.
"""

import re
from pathlib import Path

from testbed.process import go_program
from testbed.process.built_program import Progress, progress_on_stderr

MODULE = Path(__file__).with_name("kubebox")
_VERSION = "k8s.io/component-base/version"


def build(write_line: Progress = progress_on_stderr) -> Path:
    """The path of kubebox, built unless it is there already. Raises BuildError."""
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = " ".join(f"-X {_VERSION}.{key}={value}" for key, value in stamps.items())
    flags = ["-ldflags", f"-s -w {stamped}"]
    return go_program.build(MODULE, flags, write_line, CGO_ENABLED="0")


def kubernetes_version() -> str:
    """The version of Kubernetes that kubebox is, such as `v1.37.2`."""
    match = re.search(r"^\s*k8s\.io/kubernetes (v\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert match, f"{MODULE}/go.mod does not require k8s.io/kubernetes"
    return match[1]
