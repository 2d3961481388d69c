"""The API server: it answers, fast enough, and its version is supported."""

import asyncio
import re
import statistics
from collections.abc import Sequence

from steerway.kubecheck.context import Context
from steerway.kubecheck.result import Result, error, ok, warning

OLDEST_MINOR = 30
"""Of Kubernetes 1. The chart requires it, too: sleep in preStop hooks."""
_SLOW_SECONDS = 2.0
"""Streams are not affected, but lists of large clusters take minutes at this latency."""
_REQUESTS = 3


async def latency(context: Context) -> Sequence[Result]:
    """Raises UnreadableError, whose hint is the fix."""
    latencies = [await context.reader.latency_seconds() for _ in range(_REQUESTS)]
    seconds = statistics.median(latencies)
    text = f"the API server {context.reader.server} answers in {seconds * 1000:.0f} ms"
    if seconds > _SLOW_SECONDS:
        hint = "check its load and the network to it: kubectl get --raw '/readyz?verbose'"
        return [warning(f"{text}, more than {_SLOW_SECONDS:g} s", hint)]
    return [ok(text)]


async def version(context: Context) -> Sequence[Result]:
    document = await context.reader.get("/version") or {}
    shown = str(document.get("gitVersion") or "unknown")
    numbers = re.match(r"v?(\d+)\.(\d+)", shown)
    if numbers is None:
        return [
            warning(f"the version of the API server is unknown: {shown}", f"use Kubernetes 1.{OLDEST_MINOR}")
        ]
    if (int(numbers[1]), int(numbers[2])) < (1, OLDEST_MINOR):
        hint = f"upgrade the cluster to Kubernetes 1.{OLDEST_MINOR} or newer"
        return [error(f"Kubernetes {shown} is older than 1.{OLDEST_MINOR}", hint)]
    return [ok(f"Kubernetes {shown} is supported")]


async def kinds(context: Context) -> Sequence[Result]:
    """The built-in kinds that are followed are served."""
    groups = ("/apis/discovery.k8s.io/v1", "/apis/coordination.k8s.io/v1", "/apis/authorization.k8s.io/v1")
    present = await asyncio.gather(*(context.reader.get(group) for group in groups))
    absent = [
        group.removeprefix("/apis/") for group, answer in zip(groups, present, strict=True) if not answer
    ]
    if absent:
        hint = "enable it: kube-apiserver --runtime-config"
        return [error(f"the API server does not serve {', '.join(absent)}", hint)]
    return [ok("EndpointSlices, Leases and access reviews are served")]
