"""xDS resources for gRPC clients."""
