"""A pod as it is before admission: it may have no name, and every optional field can be absent or null."""

import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeAlias

Manifest: TypeAlias = Mapping[str, Any]

LABEL = "steerway.io/inject"
"""Of a namespace or a pod: `enabled` or `disabled`."""
VOLUME = "steerway"
"""Name of the volume with the files of the bootstrap."""
CERTIFICATES_VOLUME = "steerway-certificates"
"""Name of the volume with the certificate of the workload."""

BOOTSTRAP = "GRPC_XDS_BOOTSTRAP"
"""gRFC A27: the path of a bootstrap."""
BOOTSTRAP_CONFIG = "GRPC_XDS_BOOTSTRAP_CONFIG"
"""gRFC A27: the bootstrap itself, where `GRPC_XDS_BOOTSTRAP` is not set."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container or an init container (sidecars included), with its path in the pod."""

    name: str
    path: str
    manifest: Manifest

    @property
    def variables(self) -> frozenset[str]:
        """Names of its `env`. Those of `envFrom` are not known."""
        return frozenset(variable.get("name", "") for variable in self.manifest.get("env") or ())

    @property
    def obstacle(self) -> str:
        """Why it gets no bootstrap; "" if it can get one."""
        for name in (BOOTSTRAP, BOOTSTRAP_CONFIG):
            if name in self.variables:
                return f"its env has {name}"
        return ""

    def mount_obstacle(self, mount_path: str, writable: Collection[str]) -> str:
        """Why no volume can be mounted at a path; "" if one can be. The runtime makes its directory in a volume at a
        parent of the path if that is one of `writable`, and a mount below it needs a directory in a read-only one."""
        ours = PurePosixPath(mount_path)
        for mount in self.manifest.get("volumeMounts") or ():
            # The kubelet resolves a relative path from the root.
            path = PurePosixPath(posixpath.normpath(f"/{mount.get('mountPath', '').lstrip('/')}"))
            is_writable = mount.get("name") in writable and not mount.get("readOnly")
            if path.is_relative_to(ours) or (path in ours.parents[:-1] and not is_writable):
                return f"it mounts a volume at {path}"
        return ""


class Pod:
    """The parts of a pod that matter here."""

    def __init__(self, manifest: Manifest) -> None:
        self.metadata: Manifest = manifest.get("metadata") or {}
        self.spec: Manifest = manifest.get("spec") or {}
        self.labels: Mapping[str, str] = self.metadata.get("labels") or {}
        self.annotations: Mapping[str, str] = self.metadata.get("annotations") or {}

    def containers(self) -> Iterator[Container]:
        """Init containers, then containers. Ephemeral containers are added later, by another request."""
        for field in ("initContainers", "containers"):
            for index, manifest in enumerate(self.spec.get(field) or ()):
                yield Container(manifest.get("name", ""), f"/spec/{field}/{index}", manifest)

    @property
    def is_mirror(self) -> bool:
        """Whether it stands for a static pod: the kubelet runs the file, not this object."""
        return "kubernetes.io/config.mirror" in self.annotations

    @property
    def is_windows(self) -> bool:
        return (self.spec.get("os") or {}).get("name") == "windows"

    @property
    def uses_host_network(self) -> bool:
        return bool(self.spec.get("hostNetwork"))

    def has_volume(self, name: str) -> bool:
        return any(volume.get("name") == name for volume in self.spec.get("volumes") or ())

    @property
    def writable_volumes(self) -> frozenset[str]:
        """Names of the volumes that a directory can be made in, for certain."""
        volumes = self.spec.get("volumes") or ()
        return frozenset(volume.get("name", "") for volume in volumes if volume.get("emptyDir") is not None)

    @property
    def workload(self) -> str:
        """The service account, or of several workloads with the default one the usual label; "" without either."""
        account = self.spec.get("serviceAccountName") or "default"
        if account != "default":
            return str(account)
        return self.labels.get("app.kubernetes.io/name") or self.labels.get("app") or ""

    def name_or_unique(self, digest: str) -> str:
        """Its name; for one that the API server is about to name, the known part and `digest`."""
        if name := self.metadata.get("name"):
            return str(name)
        prefix = str(self.metadata.get("generateName") or "pod").rstrip("-")
        return f"{prefix}~{digest}"
