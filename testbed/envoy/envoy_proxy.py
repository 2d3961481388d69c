"""A real Envoy that takes its configuration from steerway, by SotW or delta ADS, or by polling REST."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from testbed.certificate import Certified
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes, installed
from testbed.xds_server import XdsServer

Protocol = Literal["sotw", "delta", "rest"]

POLLED = {
    "resource_api_version": "V3",
    "api_config_source": {
        "api_type": "REST",
        "transport_api_version": "V3",
        "cluster_names": ["steerway"],
        "refresh_delay": "0.1s",
        "request_timeout": "5s",
    },
}
"""A config source that an Envoy of protocol "rest" polls."""

RAW: Mapping[str, Any] = {"metadata": {"steerway.io/role": "raw"}}
"""The node of an Envoy that gets raw resources alone."""
_numbers = itertools.count()
_ADS = {"resource_api_version": "V3", "ads": {}}
_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True)
class Tls:
    """The authority that an Envoy trusts, the name, and its own certificate; in PEM."""

    authority: bytes
    name: str
    client: Certified


class Envoy:
    """One Envoy; its log goes where the log of a failing test shows it."""

    def __init__(self, processes: Processes, bootstrap: Mapping[str, Any], directory: Path) -> None:
        file = directory / f"envoy-{next(_numbers)}.json"
        file.write_text(json.dumps(bootstrap))
        address = file.with_suffix(".admin")
        options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
        self.process = processes.start(
            "envoy",
            [installed("envoy"), "-c", str(file), "--admin-address-path", str(address), *options],
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
        return {item["name"]: item["value"] for item in answer.json()["stats"] if "name" in item}

    def active_clusters(self) -> dict[str, dict[str, Any]]:
        """The clusters that requests may go to, as they were configured last: those that still warm are not among
        them."""
        answer = httpx.get(
            f"{self._admin}/config_dump", params={"resource": "dynamic_active_clusters"}, trust_env=False
        )
        clusters = (config["cluster"] for config in answer.json().get("configs", []))
        return {cluster["name"]: cluster for cluster in clusters}

    def assert_nothing_timed_out(self) -> None:
        """Whatever it waited for, it was sent."""
        counts = self.stats(r"\.init_fetch_timeout$")
        assert counts
        assert not any(counts.values()), {name: count for name, count in counts.items() if count}

    def assert_nothing_refused(self) -> None:
        """It has taken all that it was sent."""
        counts = self.stats(r"\.update_rejected$")
        assert counts
        assert not any(counts.values()), (counts, self.process.errors)

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


class EnvoyProxy(Envoy):
    """One that takes everything from steerway."""

    def __init__(
        self,
        processes: Processes,
        plane: ControlPlane | XdsServer,
        directory: Path,
        protocol: Protocol,
        tls: Tls | None = None,
        node: Mapping[str, Any] = RAW,
    ) -> None:
        """`protocol` "rest" needs a plane with `--rest-listen`.

        `tls`: how it reaches the control plane; None: in plaintext. `node`: its Node.
        """
        super().__init__(processes, _bootstrap(_server(plane, protocol), protocol, tls, node), directory)


def _server(plane: ControlPlane | XdsServer, protocol: Protocol) -> str:
    if protocol == "rest":
        assert isinstance(plane, ControlPlane)
        return plane.rest_address().removeprefix("http://")
    return plane.address


def _dynamic_resources(protocol: Protocol) -> dict[str, Any]:
    if protocol == "rest":
        return {"lds_config": POLLED, "cds_config": POLLED}
    return {
        "ads_config": {
            "api_type": "DELTA_GRPC" if protocol == "delta" else "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "steerway"}}],
        },
        "lds_config": _ADS,
        "cds_config": _ADS,
    }


def _bootstrap(server: str, protocol: Protocol, tls: Tls | None, node: Mapping[str, Any]) -> dict[str, Any]:
    http_options = {
        _HTTP_OPTIONS: {
            "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    return {
        "node": {"id": f"envoy-{protocol}", "cluster": "edge", **node},
        "admin": {"address": _socket("127.0.0.1:0")},
        "dynamic_resources": _dynamic_resources(protocol),
        "static_resources": {
            "clusters": [
                {
                    "name": "steerway",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    **({} if protocol == "rest" else {"typed_extension_protocol_options": http_options}),
                    "load_assignment": {
                        "cluster_name": "steerway",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _socket(server)}}]}],
                    },
                    **({"transport_socket": _transport_socket(tls)} if tls else {}),
                }
            ]
        },
    }


def _transport_socket(tls: Tls) -> dict[str, Any]:
    certificate = {
        "certificate_chain": _inline(tls.client.certificate),
        "private_key": _inline(tls.client.key),
    }
    matcher = {"san_type": "DNS", "matcher": {"exact": tls.name}}
    validation = {"trusted_ca": _inline(tls.authority), "match_typed_subject_alt_names": [matcher]}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"type.googleapis.com/{_TLS}",
            "sni": tls.name,
            "common_tls_context": {"tls_certificates": [certificate], "validation_context": validation},
        },
    }


def _inline(pem: bytes) -> dict[str, str]:
    return {"inline_string": pem.decode()}


def _socket(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
