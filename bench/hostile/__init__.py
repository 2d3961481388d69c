"""The cost of one hostile client for the other clients."""
