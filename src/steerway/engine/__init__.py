"""The engine's face: `engine` serves, `stats` tells Prometheus how much, `reflection` tells grpcurl what."""
