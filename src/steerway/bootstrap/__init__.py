"""The bootstrap of xDS clients: the addresses of control planes, credentials, and the Node of the client.

`document` has the parts of a bootstrap and makes the JSON document of the gRPC libraries (gRFC A27), `envoy` that of
Envoy. Both are pure: no file is read. `limitation` lists what single libraries do not support of a bootstrap.
"""
