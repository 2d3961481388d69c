"""Public fakes for tests against steerway: they speak the real protocols over real sockets.

`fake_api_server.FakeApiServer` is a Kubernetes API server's list and watch, with faults on demand;
`ads_client.AdsClient` is a gRPC client of the xDS services. Nothing here is imported by the product itself.
"""
