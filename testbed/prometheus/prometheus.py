"""A real Prometheus (Debian's package) that scrapes replicas of steerway, and its `promtool`."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.process.process import Processes

NAMESPACE = "steerway-system"
SERVICE = "steerway-internal"
"""Labels that the Prometheus Operator adds to what it scrapes of the chart."""
_LISTENING = re.compile(r'"Listening on" address=(\S+)')


class Prometheus:
    """Scrapes `/metrics` of admin addresses every half second. `replicas`: by the name of the pod."""

    def __init__(self, processes: Processes, directory: Path, replicas: Mapping[str, str]) -> None:
        targets = [
            {
                "targets": [address.removeprefix("http://")],
                "labels": {"pod": pod, "namespace": NAMESPACE, "service": SERVICE},
            }
            for pod, address in replicas.items()
        ]
        configuration = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "scrape_configs": [{"job_name": "steerway", "static_configs": targets}],
        }
        file = directory / "prometheus.yaml"
        file.write_text(yaml.safe_dump(configuration))
        command = [
            program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / 'data'}",
            "--web.listen-address=127.0.0.1:0",
        ]
        process = processes.start("prometheus", command)

        def address() -> str | None:
            return next((match[1] for line in process.errors if (match := _LISTENING.search(line))), None)

        self._replicas = dict(replicas)
        self._url = f"http://{process.wait(address, 'its address')}"
        self._http = httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS)
        # It listens before its storage is open, and answers 503 meanwhile.
        until(lambda: self._http.get(f"{self._url}/-/ready").is_success, "a ready Prometheus")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now. AssertionError: it is not valid."""
        answer = self._http.get(f"{self._url}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result = answer["data"]["result"]
        return result if answer["data"]["resultType"] == "vector" else [{"metric": {}, "value": result}]

    def values(self, label: str, selector: str) -> list[str]:
        """The values of a label of the series of a selector, as Grafana's `label_values` asks for them."""
        answer = self._http.get(f"{self._url}/api/v1/label/{label}/values", params={"match[]": selector})
        values: list[str] = answer.json()["data"]
        return values

    def metrics(self, pod: str) -> str:
        """What a replica exposes now."""
        return self._http.get(f"{self._replicas[pod]}/metrics").text

    def close(self) -> None:
        self._http.close()


def promtool(*arguments: str, text: str | None = None) -> str:
    """What promtool prints. AssertionError with all of it where it finds a fault. `text`: its standard input."""
    result = subprocess.run(
        [program("promtool"), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    return output


def program(name: str) -> str:
    """The path of a program of the package."""
    path = shutil.which(name)
    assert path is not None, f"{name} is missing: run make debian, or leave it out: TEST_WITHOUT=prometheus"
    return path
