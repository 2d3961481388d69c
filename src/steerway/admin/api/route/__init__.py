"""The HTTP routes: each module gives the operations of one subject."""
