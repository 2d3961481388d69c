"""steerway: a control plane that steers gRPC traffic in Kubernetes.

The folders show the data flow: `sources` (facts) → `catalog` (meaning) → `translate` (bytes) → `engine`
(streams) → clients. The stages meet in `app.py` only. Start reading there.
"""

from importlib.metadata import version as _version

__version__ = _version("steerway")
