"""The program `steerway signer`: its parts, their connections, and its HTTP server."""

from steerway.control.signer.program import run

__all__ = ["run"]
