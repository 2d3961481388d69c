"""Metadata keys of a Node that clients are classified by, and that `bootstrap` sets."""

NAMESPACE = "NAMESPACE"
"""Namespace of the client, in which short names (`xds:///backend`) are looked up; Istio's key, too."""
NAMESPACES = (NAMESPACE, "namespace", "K8S_NAMESPACE", "POD_NAMESPACE")
"""Keys in use for it: ours, hand-written files, Google's samples, the downward API."""
ROLE = "steerway.io/role"
"""Role of an Envoy, one of `ROLES`."""
SIDECAR = "sidecar"
GATEWAY = "gateway"
RAW = "raw"
ROLES = (SIDECAR, GATEWAY, RAW)
PROGRAM_SIZE = "steerway.io/re2-max-program-size"
"""`re2.max_program_size.error_level` of an Envoy's runtime, which a Node does not contain."""
KEYS = (*NAMESPACES, ROLE, PROGRAM_SIZE)
"""All metadata keys of a Node that are read, by `node.classify` and its like; the engine keeps no others."""
