"""The scenarios of `python -m bench`, each with its measurements and its tables."""
