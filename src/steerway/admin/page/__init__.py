"""The page: files that `make build` makes from `web/`, and sessions of its login form."""

from steerway.admin.page.path import ENDPOINTS

__all__ = ["ENDPOINTS"]
