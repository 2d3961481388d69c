"""A server of generated documents of any size, for the page."""
