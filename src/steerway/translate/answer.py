"""The content of an answer: a resource, or the reason why there is none."""

from typing import NamedTuple


class Resource(NamedTuple):
    """Bytes, the other resources that they name as (type_url, name), and what a grant must cover."""

    body: bytes
    references: tuple[tuple[str, str], ...] = ()
    scope: str = ""


class Reason(str):
    """Why there is no resource."""

    __slots__ = ()


class Denied(Reason):
    """The resource exists, and the audience must not see it: what its clients have is withdrawn at once."""

    __slots__ = ()


Content = Resource | Reason
