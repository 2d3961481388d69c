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
PROVIDER = "steerway.io/certificate-provider"
"""`CERTIFICATE_PROVIDER` if the bootstrap has the certificate provider of this name."""
CERTIFICATE_PROVIDER = "steerway"
"""The certificate provider instance that TLS resources name (gRFC A29)."""
SERVICE = "steerway.io/service"
"""The Services of an xDS server whose Pod is not known, `NAME[,NAME…]`, in its own namespace."""
KEYS = (*NAMESPACES, ROLE, PROGRAM_SIZE, PROVIDER, SERVICE)
"""All metadata keys of a Node that are read, by `node.classify` and its like; the engine keeps no others."""
