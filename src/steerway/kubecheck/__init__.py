"""Checks of a cluster for `steerway check --kubernetes`: before an installation, and of one that runs.

`plan` lists the checks by section and `runner` runs them; `reader` reads the API server, `installation` is the
Deployment with its settings, and `permission` the table of what steerway needs. Nothing in the cluster is changed:
requests that are no reads are access reviews and dry runs.

Each check has a name, which is the anchor of its heading in the guide. A check that fails returns the fix with it.
"""
