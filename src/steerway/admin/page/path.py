"""The paths that a 404 names: what there is to read."""

ENDPOINTS = {
    "/healthz": "alive",
    "/readyz": "ready for clients, or the reasons why not",
    "/metrics": "Prometheus metrics",
    "/api/v1/status": "this replica: readiness, counts, ages",
    "/api/v1/services": "all services: ports, endpoints, policies, clients, problems",
    "/api/v1/services/NAMESPACE/NAME": "one service with its endpoints, routes, clients and changes",
    "/api/v1/clients": "all clients by workload, or ?by=node",
    "/api/v1/clients/NODE": "one client with its streams",
    "/api/v1/graph": "which client workload subscribes to which service",
    "/api/v1/endpoints?target=NAME": "the endpoints of a target for a client, and why it does not get the others",
    "/api/v1/openapi.json": "this API as an OpenAPI document",
    "/api/v1/streams": "all clients: state, names, absent names, NACKs; ?node= (with *) and ?type=",
    "/api/v1/resources": "published resources and absent names; ?type= and ?audience=",
    "/api/v1/resources/cds": "one type: lds, rds, cds, eds, sds, or its full name",
    "/api/v1/resources/cds/NAME": "one resource with its body, for each audience",
    "/api/v1/explain?target=NAME": "a target's resources for a client, their sources and clients; "
    "&namespace= &zone= &client=",
    "/api/v1/loads": "load reports of clients, by cluster and locality",
    "/api/v1/problems": "objects and documents that are skipped, each with a hint",
}
