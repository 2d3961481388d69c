"""The outage of a rolling restart, before and after: `python -m demo`.

Two fleets of real gRPC clients send the same load to the same backends through one rolling restart. One
finds the backends through DNS, as behind a headless Service, the other through steerway. Everything runs in
processes on loopback addresses; no cluster is needed. `run.py` reads as the order of events, `measure.py`
defines every figure.
"""
