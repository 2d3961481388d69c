"""HTTP listeners for the admin server and REST discovery: uvicorn behind an acceptor with limits.

uvicorn parses, answers and keeps connections alive; what it has no settings for stands here: how many connections
there are, how long a client may take, and what happens when no file descriptor is left (docs/decisions/0027).
"""

from steerway.http.host import Hosts
from steerway.http.limit import HttpLimits
from steerway.http.server import HttpServer

__all__ = ["Hosts", "HttpLimits", "HttpServer"]
