"""REST-JSON discovery: `POST /v3/discovery:clusters` for Envoys that poll.

It stands on a listener of its own, because it gives out what the admin server hides: secrets.
"""

from steerway.rest.application import MAX_BODY_BYTES, application

__all__ = ["MAX_BODY_BYTES", "application"]
