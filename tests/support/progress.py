"""The progress of a build that a fixture waits for."""

import pytest

from testbed.process.built_program import Progress


def past_capture(config: pytest.Config) -> Progress:
    """Writes a line past pytest's capture: a first build takes minutes."""
    capture = config.pluginmanager.getplugin("capturemanager")

    def write_line(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", flush=True)

    return write_line
