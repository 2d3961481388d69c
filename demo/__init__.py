"""The outage of a rolling restart, before and after: `python -m demo`.

Three fleets of real gRPC clients send the same load to the same backends through one rolling restart. One
connects to the ClusterIP of the Service, one finds the backends through the DNS of a headless Service, one
through steerway. Everything runs in processes on loopback addresses; no cluster is needed. `run.py` reads as
the order of events, `measure.py` defines every figure.
"""
