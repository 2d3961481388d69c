"""steerway: a control plane that steers gRPC traffic in Kubernetes.

The folders show the data flow: `sources` (facts) → `catalog` (meaning) → `translate` (bytes) → `engine`
(streams) → clients. `app.py` builds and runs the stages, `control` connects them. Start reading in `app.py`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """`__version__` on first use: the import of importlib.metadata takes as long as all of `steerway --help`."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import version

        return version("steerway")
