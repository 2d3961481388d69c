"""The admin server: its application on an HTTP listener."""

from collections.abc import Callable, Collection

from steerway.admin.api.http_route import application
from steerway.admin.api.route import probe
from steerway.admin.view import AdminView
from steerway.http import Hosts, HttpLimits, HttpServer


class AdminServer(HttpServer):
    """Serves an AdminView. `accepts` checks a bearer token; None: no token is needed. `hosts` are names that a request
    may be for, besides that of `listen`, `localhost` and the host's own (see `Hosts`)."""

    def __init__(
        self,
        listen: str,
        view: AdminView,
        limits: HttpLimits,
        accepts: Callable[[str], bool] | None = None,
        hosts: Collection[str] = (),
    ) -> None:
        super().__init__(
            listen,
            application(view, accepts),
            "--admin",
            name="admin",
            limits=limits,
            probes=probe.PATHS,
            hosts=Hosts([listen.rpartition(":")[0], *hosts]),
        )
