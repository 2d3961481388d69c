"""Declarations of the settings, one module per section."""
