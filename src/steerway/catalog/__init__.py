"""What the mesh is: services, ports, endpoints. Frozen values; no I/O, no JSON, no protobuf."""
