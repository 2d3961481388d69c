#!/usr/bin/env bash
# grpcio 1.85.1 (C-core 58.0.0), xds-protos 1.85.0, Python 3.11.
#
# A wait_for_ready call on an xds: channel that begins while the control plane cannot be reached stays queued until its
# deadline, although the control plane starts seconds later and the channel becomes READY. A later call on the same
# channel succeeds at once. Expected: the queued call is sent when the channel becomes READY.
#
# Output seen:
#   second call: OK
#   channel: READY
#   first call (wait_for_ready): DEADLINE_EXCEEDED
#
# Runs without this project: installs pinned packages into a temporary folder, serves xDS by a script of 40 lines, and
# exits with 1 when the output differs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check grpcio==1.85.1 xds-protos==1.85.0

cat > "$work/main.py" <<'P'
import json, os, socket, sys, threading, time
from concurrent import futures


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


XDS_PORT = free_port()
os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = json.dumps({
    "xds_servers": [{"server_uri": f"127.0.0.1:{XDS_PORT}", "channel_creds": [{"type": "insecure"}],
                     "server_features": ["xds_v3"]}],
    "node": {"id": "client"},
})
os.environ["GRPC_VERBOSITY"] = "NONE"

import grpc
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any
from google.protobuf.json_format import ParseDict


def packed(message):
    wrapped = Any()
    wrapped.Pack(message)
    return wrapped


def method(name, handler):
    service, _, call = name.rpartition("/")
    return grpc.method_handlers_generic_handler(service, {call: handler})


def echo(_request, _context):
    return b""


backend = grpc.server(futures.ThreadPoolExecutor(4))
backend.add_generic_rpc_handlers([method("Echo/Call", grpc.unary_unary_rpc_method_handler(echo))])
port = backend.add_insecure_port("127.0.0.1:0")
backend.start()

ADS = {"ads": {}, "resource_api_version": "V3"}
manager = hcm.HttpConnectionManager(stat_prefix="x")
ParseDict({"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [
    {"match": {"prefix": ""}, "route": {"cluster": "c"}}]}]}, manager.route_config)
manager.http_filters.add(name="router").typed_config.Pack(Router())
listener = Listener(name="echo")
listener.api_listener.api_listener.Pack(manager)
cluster = ParseDict({"name": "c", "type": "EDS", "eds_cluster_config": {"eds_config": ADS}}, Cluster())
assignment = ParseDict({"cluster_name": "c", "endpoints": [{
    "locality": {"zone": "z"}, "load_balancing_weight": 1, "lb_endpoints": [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}]}]},
    ClusterLoadAssignment())
RESOURCES = {packed(resource).type_url: resource for resource in (listener, cluster, assignment)}


def stream(requests, _context):
    sent = set()
    for request in requests:
        if request.type_url in RESOURCES and request.type_url not in sent:
            sent.add(request.type_url)
            yield DiscoveryResponse(version_info="1", nonce="1", type_url=request.type_url,
                                    resources=[packed(RESOURCES[request.type_url])])


channel = grpc.insecure_channel("xds:///echo")
states = []
channel.subscribe(states.append)
call = channel.unary_unary("/Echo/Call")


def outcome(**options):
    try:
        call(b"", **options)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


first = []
queued = threading.Thread(target=lambda: first.append(outcome(timeout=20, wait_for_ready=True)))
queued.start()
time.sleep(2)  # the first connection attempt has failed by now
plane = grpc.server(futures.ThreadPoolExecutor(4))
plane.add_generic_rpc_handlers([method(
    "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
    grpc.stream_stream_rpc_method_handler(
        stream, DiscoveryRequest.FromString, DiscoveryResponse.SerializeToString))])
plane.add_insecure_port(f"127.0.0.1:{XDS_PORT}")
plane.start()
end = time.monotonic() + 10
second = ""
while second != "OK" and time.monotonic() < end:
    second = outcome(timeout=2)
    time.sleep(0.1)
print("second call:", second)
print("channel:", states[-1].name)
queued.join()
print("first call (wait_for_ready):", first[0])
sys.stdout.flush()
os._exit(0)
P
seen=$("$work/venv/bin/python" "$work/main.py")
printf '%s\n' "$seen"
expected='second call: OK
channel: READY
first call (wait_for_ready): DEADLINE_EXCEEDED'
[ "$seen" = "$expected" ] || { echo "the output differs from the one seen" >&2; exit 1; }
