"""The replicas of a running control plane: where they are, requests to all of them, and one answer of theirs.

A replica is an address, a Unix socket, or a pod behind a port-forward. Commands query all replicas at the same time;
one that fails is a warning while another answers.
"""

from steerway.cli.replica.options import Where, replica_options

__all__ = ["Where", "replica_options"]
