"""All replicas of a control plane, queried at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from steerway.cli import terminal
from steerway.cli.replica.replica import Document, Replica
from steerway.errors import SourceError, SteerwayError, UnknownServiceError

Answers = Mapping[str, Document | SteerwayError]
"""By replica: its document, or why there is none."""


@dataclass(slots=True)
class Replicas:
    """`unavailable`: replicas that cannot be queried, with the reason."""

    members: Sequence[Replica]
    unavailable: Mapping[str, SteerwayError] = field(default_factory=dict)

    async def get(self, path: str, **params: Any) -> Answers:
        """The document of a path, of each replica. Values that are None or "" are left out of the query."""
        return await self._ask(lambda replica: replica.get(path, params))

    async def items(self, path: str, **params: Any) -> Answers:
        """The documents of a list with the items of all pages."""
        return await self._ask(lambda replica: replica.items(path, params))

    async def _ask(self, request: Callable[[Replica], Awaitable[Document]]) -> Answers:
        async def answer(replica: Replica) -> Document | SteerwayError:
            try:
                return await request(replica)
            except SteerwayError as error:
                return error

        answers = await asyncio.gather(*map(answer, self.members))
        by_name = {replica.name: given for replica, given in zip(self.members, answers, strict=True)}
        return {**by_name, **self.unavailable}


def documents(answers: Answers) -> dict[str, Document]:
    """The documents of the replicas that answered; a warning for each of the others.

    A replica that does not know an object is no failure while another does. Raises SteerwayError if none answered.
    """
    answered = {name: answer for name, answer in answers.items() if isinstance(answer, dict)}
    errors = {name: answer for name, answer in answers.items() if isinstance(answer, SteerwayError)}
    if not answered:
        raise _common(errors)
    for name, error in errors.items():
        if not isinstance(error, UnknownServiceError):
            terminal.warn(f"replica {name}: {error}")
    return answered


def _common(errors: Mapping[str, SteerwayError]) -> SteerwayError:
    """One error for those of all replicas: the only one, or that an object is unknown, or all of them."""
    for error in errors.values():
        if isinstance(error, UnknownServiceError):
            nearest = dict.fromkeys(
                name for other in errors.values() for name in getattr(other, "nearest", ())
            )
            return UnknownServiceError(str(error), list(nearest))
    if len({str(error) for error in errors.values()}) == 1:
        return next(iter(errors.values()))
    return SourceError("\n".join(f"replica {name}: {error}" for name, error in errors.items()))
