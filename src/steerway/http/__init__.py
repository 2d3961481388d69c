"""HTTP listeners for the admin server and REST discovery: uvicorn behind an acceptor with limits.

uvicorn parses, responds and keeps connections alive. This package adds what it has no settings for: the number of
connections, deadlines for clients, and the lack of file descriptors (docs/decisions/0027).
"""

from steerway.http.host import Hosts
from steerway.http.limit import HttpLimits
from steerway.http.server import HttpServer

__all__ = ["Hosts", "HttpLimits", "HttpServer"]
