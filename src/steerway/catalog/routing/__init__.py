"""Routes and BackendTLSPolicies attached to Services, and the rules that follow."""
