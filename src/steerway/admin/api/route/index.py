"""The HTML page."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from steerway.admin import page
from steerway.admin.api import readiness, stream
from steerway.admin.api.route.operation import Operation, Workers
from steerway.admin.view import AdminView
from steerway.http.header import content_security_policy


def operations(view: AdminView, workers: Workers) -> Iterable[Operation]:
    """`/`."""

    async def index(_request: Request) -> Response:
        missing, phase, problems = readiness.missing(view), view.phase(), list(view.problems())

        def answer() -> str:
            entries = view.engine.entries()
            look = view.locality, view.identity, view.subscribers()
            streams = stream.describe(view.engine.streams(), *look)
            served = sum(1 for entry in entries if not entry.reason)
            return page.render(streams, served, phase, missing, problems)

        # Node ids and reasons come from clients and manifests: nothing on this page may run as a script.
        policy = {"content-security-policy": content_security_policy(page.STYLE)}
        return HTMLResponse(await workers.run(answer), headers=policy)

    yield Operation("/", index, "a page: state, problems, clients")
