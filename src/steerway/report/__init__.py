"""Writes to Kubernetes, by the replica that holds the Lease: Events about objects that are not served, and the status
of routes and policies."""
