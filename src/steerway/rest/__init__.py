"""REST-JSON discovery: `POST /v3/discovery:clusters` for Envoys that poll.

It has a listener of its own, because its responses contain secrets, which the admin server redacts.
"""

from steerway.rest.application import MAX_BODY_BYTES, application

__all__ = ["MAX_BODY_BYTES", "application"]
