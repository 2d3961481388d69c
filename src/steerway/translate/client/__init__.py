"""Which client asks: its audience, and the capabilities of its library and version."""
