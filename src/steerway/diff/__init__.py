"""What manifests would change for clients: the live objects and the same with the manifests laid over them, taken
through catalog and translate as the control plane does. No I/O; `steerway diff` reads the objects and the clients.
"""
