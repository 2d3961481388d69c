"""Settings of all tests, and leaving out a ring of them knowingly: `TEST_WITHOUT=kubernetes,go make test`.

A test that needs a real part which not every machine has is marked: `@pytest.mark.needs("kubernetes")`. A part that
cannot run is a failure; only parts named in `TEST_WITHOUT` have their tests skipped, with that as the printed reason.
"""

import os

import hypothesis
import pytest

# A deadline of an example is an assertion on absolute time, which fails on a busy machine.
hypothesis.settings.register_profile("steerway", deadline=None)
# Ends at the first failure, which is not reduced: for runs of which only the result counts (tests/mutation).
hypothesis.settings.register_profile(
    "first", deadline=None, database=None, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
)
hypothesis.settings.load_profile("steerway")

VARIABLE = "TEST_WITHOUT"
PARTS = {
    "kubernetes": "a real Kubernetes API server",
    "envoy": "a real Envoy",
    "go": "a Go toolchain, for clients of grpc-go",
    "java": "a JDK and Maven, for clients of grpc-java",
    "node": "Node.js and npm, for clients of grpc-js",
    "cpp": "CMake, a C++ compiler and gRPC for C++, for the C++ example",
    "browser": "Chromium",
    "prometheus": "Prometheus and promtool",
    "demo": "a run of the whole demo",
    "image": "root rights and Debian's packages, for the root file system of the image",
}
"""What a test may need, and what may be left out."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what was left out. A word that is no part is an error, of a test as of the person."""
    left_out = {word for word in os.environ.get(VARIABLE, "").replace(" ", "").split(",") if word}
    _known(left_out, VARIABLE)
    for item in items:
        needed = {str(word) for marker in item.iter_markers("needs") for word in marker.args}
        _known(needed, item.nodeid)
        if missing := sorted(needed & left_out):
            parts = " and ".join(PARTS[word] for word in missing)
            item.add_marker(pytest.mark.skip(reason=f"needs {parts}; left out by {VARIABLE}"))


def _known(words: set[str], where: str) -> None:
    if unknown := words - set(PARTS):
        raise pytest.UsageError(
            f"{where}: unknown part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}"
        )
