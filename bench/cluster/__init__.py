"""What steerway costs and how fast it is on a real Kubernetes API server. `make bench-cluster`."""
