"""What identities, TLS and authorization cost."""
