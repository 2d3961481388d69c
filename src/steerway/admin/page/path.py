"""The paths that a 404 names: what there is to read."""

ENDPOINTS = (
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/status",
    "/api/v1/services",
    "/api/v1/services/NAMESPACE/NAME",
    "/api/v1/clients",
    "/api/v1/clients/NODE",
    "/api/v1/changes",
    "/api/v1/events",
    "/api/v1/graph",
    "/api/v1/endpoints?target=NAME",
    "/api/v1/openapi.json",
    "/api/v1/streams",
    "/api/v1/resources",
    "/api/v1/resources/cds",
    "/api/v1/resources/cds/NAME",
    "/api/v1/explain?target=NAME",
    "/api/v1/loads",
    "/api/v1/problems",
)
