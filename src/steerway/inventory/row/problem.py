"""Problems of all stages."""

import msgspec


class ProblemRow(msgspec.Struct, frozen=True):
    """Something that an operator should fix."""

    where: str
    reason: str
    hint: str


class ProblemList(msgspec.Struct, frozen=True):
    """In the order of the data flow. `total` counts the problems after filters; `next` is the value of `after` for the
    next page, null on the last one."""

    problems: list[ProblemRow]
    total: int
    next: str | None
    replica: str
