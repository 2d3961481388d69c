"""The dialect of Envoy: assignments of service ports by name."""

from steerway.translate import audience as audiences
from steerway.translate import type_url
from steerway.translate.answer import Plan, Reason, same
from steerway.translate.grpc import GrpcDialect


class EnvoyDialect:
    """Answers for Envoys."""

    def __init__(self, grpc: GrpcDialect) -> None:
        self._grpc = grpc

    def root(self, _served: str, _name: str, audience: str) -> str:
        """The audience of all who would share an answer that is the same for them."""
        return audiences.dialect_of(audience)

    def plan(self, served: str, name: str, root: str) -> Plan:
        """How a name is answered to audiences under `root`."""
        if served == type_url.ENDPOINT:
            return self._grpc.plan(served, name, root)
        return same(root, Reason("no file gives it"))
