"""Clients and services as rows: which client workload holds which service, in which state.

Rows of services are kept, and rebuilt for those that changed; the rest is read from the engine on request.
"""
