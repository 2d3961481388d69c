"""The name of this replica, as operators know it."""

import os
import socket
from collections.abc import Mapping


def replica_name(environ: Mapping[str, str] = os.environ) -> str:
    """The name of the pod (`POD_NAME`, else `HOSTNAME`), else that of the host."""
    return environ.get("POD_NAME") or environ.get("HOSTNAME") or socket.gethostname()
