"""Problems of all stages, as this package and the admin server read them."""

from typing import Protocol


class ProblemView(Protocol):
    """Something that an operator should fix, of any stage. It may have `about` or `subject`, the object in question."""

    @property
    def where(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def hint(self) -> str: ...


def object_of(problem: ProblemView) -> str:
    """The object of a problem, as `KIND NAMESPACE/NAME`; where it is, for one about no object."""
    known = getattr(problem, "about", None) or getattr(problem, "subject", None)
    return problem.where if known is None else str(known)
