"""The files of the page, read once and kept with their compressed form.

All but `index.html` have a hash of their content in the name, so a browser keeps them without asking again.
"""

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from steerway.http.header import PAGE_POLICY

INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_UNBUILT = b"""<!doctype html><html lang="en"><title>steerway</title><h1>The page is not built</h1>
<p>This is a source tree without the files of the page: run <code>make build</code>.
The API does not need them: <a href="api/v1/status">api/v1/status</a>.</p></html>
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file; `tag` is its entity tag. `hashed`: its name changes with its content."""

    body: bytes
    compressed: bytes
    media_type: str
    tag: str
    hashed: bool

    def response(self, request: Request) -> Response:
        """The file, compressed where the client accepts it; 304 where it has this content already."""
        headers = {
            "cache-control": "public, max-age=31536000, immutable" if self.hashed else "no-cache",
            "content-security-policy": PAGE_POLICY,
            "content-type": self.media_type,
            "etag": self.tag,
            "vary": "accept-encoding",
        }
        if self.tag in _listed(request, "if-none-match"):
            return Response(status_code=304, headers=headers)
        if "gzip" not in _listed(request, "accept-encoding"):
            return Response(self.body, headers=headers)
        return Response(self.compressed, headers=headers | {"content-encoding": "gzip"})


def read(directory: Traversable | None = None) -> dict[str, Asset]:
    """The files by name. Without a build there is only an index that names the command for it."""
    directory = files("steerway.admin") / "static" if directory is None else directory
    assets: dict[str, Asset] = {}
    if directory.is_dir():
        for file in directory.iterdir():
            suffix = "." + file.name.rpartition(".")[2]
            if suffix in _TYPES:
                assets[file.name] = _asset(file.read_bytes(), suffix, hashed=file.name != INDEX)
    if INDEX not in assets:
        return {INDEX: _asset(_UNBUILT, ".html", hashed=False)}
    return assets


def _asset(body: bytes, suffix: str, *, hashed: bool) -> Asset:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Asset(body, gzip.compress(body, 9, mtime=0), _TYPES[suffix], tag, hashed)


def _listed(request: Request, header: str) -> set[str]:
    """The values of a header that is a list, without parameters. A weight of 0 is not a value."""
    parts = request.headers.get(header, "").replace(" ", "").split(",")
    return {part.partition(";")[0] for part in parts if not part.endswith((";q=0", ";q=0.0"))}
