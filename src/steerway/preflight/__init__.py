"""Checks a control plane with the bootstrap of a client, before a program starts with it.

gRPC clients wait 15 s for a resource and report a wrong address, wrong credentials and a missing Service alike.
`connection` connects as far as HTTP/2 and names what answers instead; `stream` makes one ADS request as the client
would; `check` combines both for the servers of a bootstrap and for targets. It never changes the control plane.
"""
