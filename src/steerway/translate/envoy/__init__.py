"""What Envoy is told."""
