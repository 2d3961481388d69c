"""The admin server: its application on an HTTP listener."""

from collections.abc import Callable

from steerway.admin.route import PROBES, application
from steerway.admin.view import AdminView
from steerway.http import HttpLimits, HttpServer


class AdminServer(HttpServer):
    """Serves an AdminView. `accepts` checks a bearer token; None: no token is needed."""

    def __init__(
        self,
        listen: str,
        view: AdminView,
        accepts: Callable[[str], bool] | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        super().__init__(
            listen, application(view, accepts), "--admin", name="admin", limits=limits, probes=PROBES
        )
