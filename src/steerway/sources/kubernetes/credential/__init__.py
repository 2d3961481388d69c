"""Kubeconfig files, service accounts and exec plugins: what requests to an API server need."""
