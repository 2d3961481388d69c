"""A real Envoy that takes its configuration from steerway, by SotW or by delta ADS."""

import json
from pathlib import Path
from typing import Any, Literal

import httpx
from tests.support.control_plane import ControlPlane
from tests.support.deadline import until
from tests.support.process import Processes, installed

Protocol = Literal["sotw", "delta"]

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class EnvoyProxy:
    """One Envoy; its log goes where the log of a failing test shows it."""

    def __init__(
        self, processes: Processes, plane: ControlPlane, directory: Path, protocol: Protocol
    ) -> None:
        bootstrap = directory / "envoy.json"
        bootstrap.write_text(json.dumps(_bootstrap(plane.address, protocol)))
        address = directory / "envoy-admin"
        options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
        self.process = processes.start(
            "envoy",
            [installed("envoy"), "-c", str(bootstrap), "--admin-address-path", str(address), *options],
        )
        until(
            lambda: address.exists() and address.read_text(), lambda: self.process.complaint("has no admin")
        )
        self._admin = f"http://{address.read_text()}"

    def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose names match a regular expression."""
        answer = httpx.get(
            f"{self._admin}/stats", params={"format": "json", "filter": pattern}, trust_env=False
        )
        return {found["name"]: found["value"] for found in answer.json()["stats"] if "name" in found}

    def wait_until_listening(self, port: int) -> None:
        """Wait until a listener on `port` takes connections."""

        def listening() -> bool:
            answer = httpx.get(f"{self._admin}/listeners", params={"format": "json"}, trust_env=False)
            statuses = answer.json().get("listener_statuses", [])
            ports = [status["local_address"]["socket_address"]["port_value"] for status in statuses]
            return port in ports and self.stats("total_listeners_warming") == {
                "listener_manager.total_listeners_warming": 0
            }

        until(listening, lambda: self.process.complaint(f"does not listen on port {port}"))


def _bootstrap(server: str, protocol: Protocol) -> dict[str, Any]:
    ads = {"resource_api_version": "V3", "ads": {}}
    return {
        "node": {"id": f"envoy-{protocol}", "cluster": "edge"},
        "admin": {"address": _socket("127.0.0.1:0")},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if protocol == "delta" else "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "steerway"}}],
            },
            "lds_config": ads,
            "cds_config": ads,
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "steerway",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": {
                        _HTTP_OPTIONS: {
                            "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
                            "explicit_http_config": {"http2_protocol_options": {}},
                        }
                    },
                    "load_assignment": {
                        "cluster_name": "steerway",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _socket(server)}}]}],
                    },
                }
            ]
        },
    }


def _socket(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
