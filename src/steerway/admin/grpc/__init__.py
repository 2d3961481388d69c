"""gRPC services of the control plane besides discovery: CSDS and the load-report request."""
