"""What certificates of workloads cost: `steerway signer` on a real API server."""
