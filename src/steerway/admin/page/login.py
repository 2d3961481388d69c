"""The login form: `POST /login` exchanges the admin token for a session, `POST /logout` ends it."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steerway.admin.page.session import COOKIE, Sessions

LOGIN = "/login"
LOGOUT = "/logout"


class Login:
    """The two paths."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def routes(self) -> Iterator[Route]:
        """For the application."""
        yield Route(LOGIN, self._login, methods=["POST"])
        yield Route(LOGOUT, self._logout, methods=["POST"])

    async def _login(self, request: Request) -> Response:
        if _foreign(request):
            return JSONResponse({"error": "this form belongs to another site"}, 403)
        fields = parse_qs((await request.body()).decode(errors="replace"))
        identifier = self._sessions.open(fields.get("token", [""])[0].strip())
        if identifier is None:
            return JSONResponse({"error": "this is not the token in admin_token_file"}, 403)
        response = Response(status_code=204, headers={"cache-control": "no-store"})
        # Not Secure: the admin server speaks HTTP, to loopback or a port-forward.
        response.set_cookie(COOKIE, identifier, httponly=True, samesite="strict", path="/")
        return response

    async def _logout(self, request: Request) -> Response:
        if _foreign(request):
            return JSONResponse({"error": "this form belongs to another site"}, 403)
        self._sessions.close(request)
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return response


def _foreign(request: Request) -> bool:
    """Whether a browser sends the form of another origin. The server's own is the host that was asked for."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
