"""Running the command line inside of the test process."""

from collections.abc import Callable

import pytest

from steerway.cli import main
from tests.support.log_setup import restored_logging

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def steerway(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `steerway ARGUMENTS` and return exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with restored_logging():
            code = main(arguments)
        output = capsys.readouterr()
        return code, output.out, output.err

    return run
