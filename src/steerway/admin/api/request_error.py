"""Errors of requests, which become responses with a JSON body."""

from collections.abc import Sequence

from steerway.errors import SteerwayError


class RequestError(SteerwayError):
    """A parameter is invalid: 400. The text lists the valid values."""


class UnknownObjectError(SteerwayError):
    """No such object: 404. `nearest` are names that may have been meant."""

    def __init__(self, text: str, nearest: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.nearest = list(nearest)
