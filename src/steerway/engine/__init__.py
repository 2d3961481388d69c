"""The Python interface of the native engine, and its metrics."""
