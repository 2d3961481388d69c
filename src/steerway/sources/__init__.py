"""Where facts come from: a Kubernetes API server and directories of manifests, as the same objects."""
