"""Processes, clients, backends, a Kubernetes cluster and fakes that tests, benchmarks and the demo share."""
