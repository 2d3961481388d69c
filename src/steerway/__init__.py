"""steerway: a control plane that steers gRPC traffic in Kubernetes.

The folders show the data flow: `sources` (facts) → `catalog` (meaning) → `translate` (bytes) → `engine`
(streams) → clients. `app.py` builds and runs the stages, `control` connects them. Start reading in `app.py`.
"""

from importlib.metadata import version as _version

__version__ = _version("steerway")
