"""The values of the mesh: services, ports, endpoints, routes, policies. Frozen; no Kubernetes objects."""
