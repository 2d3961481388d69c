"""Checks of the project's texts and history, for `make lint`."""
