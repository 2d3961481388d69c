"""The descriptors for gRPC reflection, so that `grpcurl` needs no .proto files."""

from functools import cache

from envoy.service.cluster.v3 import cds_pb2
from envoy.service.discovery.v3 import ads_pb2, discovery_pb2
from envoy.service.endpoint.v3 import eds_pb2
from envoy.service.extension.v3 import config_discovery_pb2
from envoy.service.listener.v3 import lds_pb2
from envoy.service.load_stats.v3 import lrs_pb2
from envoy.service.route.v3 import rds_pb2, srds_pb2
from envoy.service.runtime.v3 import rtds_pb2
from envoy.service.secret.v3 import sds_pb2
from envoy.service.status.v3 import csds_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

_FILES = (
    discovery_pb2,
    ads_pb2,
    lds_pb2,
    rds_pb2,
    srds_pb2,
    cds_pb2,
    eds_pb2,
    sds_pb2,
    rtds_pb2,
    config_discovery_pb2,
    csds_pb2,
    lrs_pb2,
)


@cache
def descriptors() -> bytes:
    """A serialised FileDescriptorSet: all services but health, with their dependencies."""
    descriptors_by_name: dict[str, FileDescriptor] = {}
    waiting: list[FileDescriptor] = [module.DESCRIPTOR for module in _FILES]
    while waiting:
        file = waiting.pop()
        if file.name not in descriptors_by_name:
            descriptors_by_name[file.name] = file
            waiting.extend(file.dependencies)
    result = FileDescriptorSet()
    for name in sorted(descriptors_by_name):
        descriptors_by_name[name].CopyToProto(result.file.add())
    return result.SerializeToString(deterministic=True)
