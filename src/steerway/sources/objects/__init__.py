"""Kubernetes objects as slim, frozen, typed values, and raw xDS resources."""
