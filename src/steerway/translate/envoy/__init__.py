"""Messages for Envoy."""
