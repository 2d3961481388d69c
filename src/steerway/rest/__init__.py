"""REST-JSON discovery: `POST /v3/discovery:clusters` for Envoys that poll.

It stands on a listener of its own, because it gives out what the admin server hides: secrets.
"""

from steerway.rest.application import application

__all__ = ["application"]
