"""The admin HTTP server: a page, JSON under `/api/v1`, `/metrics`, `/healthz` and `/readyz`.

It reads and never changes anything; what it reads is listed in `view.py`.
"""

from steerway.admin.server import AdminServer
from steerway.admin.view import AdminView, Phase

__all__ = ["AdminServer", "AdminView", "Phase"]
