"""TrafficPolicy and Gateway API objects: types, the CRD, and validation."""
