"""Order, requirements and failures of checks."""

from collections.abc import Sequence

from steerway.errors import SourceError
from steerway.kubecheck import runner
from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import Reader, UnreadableError
from steerway.kubecheck.result import Check, Level, Outcome, Result, Section, error, ok
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.event import Failure
from tests.unit.kubecheck.api import Api


async def good(_context: Context) -> Sequence[Result]:
    return [ok("good")]


async def bad(_context: Context) -> Sequence[Result]:
    return [error("bad", "do this")]


async def forbidden(_context: Context) -> Sequence[Result]:
    raise UnreadableError("GET /x", RequestError(Failure(403, "Forbidden", "no")), "https://api")


async def unreachable(_context: Context) -> Sequence[Result]:
    failure = Failure(None, "connection refused", "connect")
    raise UnreadableError("GET /x", RequestError(failure), "https://api")


async def unusable(_context: Context) -> Sequence[Result]:
    raise SourceError("no kubeconfig", "give one")


async def outcomes(*sections: Section) -> list[Outcome]:
    context = Context(Reader(Api({})), "", "steerway")  # type: ignore[arg-type]
    return [outcome async for outcome in runner.run(sections, context)]


async def test_what_requires_a_failed_check_does_not_run() -> None:
    """Nor what requires that; also within one section, in any order."""
    last = Section("b", (Check("d", good, ("c",)), Check("e", good, ("a",))))
    ran = await outcomes(
        Section("a", (Check("c", good, ("b",)), Check("b", bad), Check("a", good))),
        last,
    )
    assert [(item.check.name, item.blocked, item.failed) for item in ran] == [
        ("b", False, True),
        ("a", False, False),
        ("c", True, False),
        ("d", True, False),
        ("e", False, False),
    ]
    assert ran[2].results[0].text == "c: not checked, since b failed"


async def test_what_the_user_may_not_read_is_a_warning() -> None:
    (outcome,) = await outcomes(Section("a", (Check("a", forbidden),)))
    (result,) = outcome.results
    assert result.level is Level.WARNING
    assert result.text == "a: not checked: GET /x: 403 Forbidden: no"
    assert "administrator" in result.hint


async def test_a_request_without_an_answer_is_an_error_with_its_hint() -> None:
    ran = await outcomes(Section("a", (Check("a", unreachable), Check("b", unusable))))
    assert [outcome.failed for outcome in ran] == [True, True]
    assert "nothing listens there" in ran[0].results[0].hint
    assert ran[1].results[0].hint == "give one"
