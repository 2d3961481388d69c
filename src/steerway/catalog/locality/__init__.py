"""Zones, client localities, subsets, and the assignment of endpoints to a client."""
