"""The admin HTTP server: a page, JSON under `/api/v1`, `/metrics`, `/healthz` and `/readyz`.

It is read-only; `view` lists what it reads.
"""

from steerway.admin.server import AdminServer
from steerway.admin.view import AdminView, Phase

__all__ = ["AdminServer", "AdminView", "Phase"]
