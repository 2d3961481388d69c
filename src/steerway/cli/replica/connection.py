"""Opens the replicas that the command line names, or finds them in a cluster."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import NamedTuple

import aiohttp

from steerway.cli.replica import cluster
from steerway.cli.replica.forward import PortForward
from steerway.cli.replica.options import UNIX, Where, read_token
from steerway.cli.replica.replica import Replica
from steerway.cli.replica.replicas import Replicas
from steerway.config import HttpSettings
from steerway.errors import SourceError, SteerwayError
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.namespace import detect_namespace

_LOCAL = f"http://{HttpSettings.admin}"
_PROBE_SECONDS = 2.0
_ALL_NAMESPACES = ""
_CHART_NAMESPACE = "steerway-system"
"""The namespace of the kustomize bases and of the installation guide."""
_FORWARDED = "http://localhost"
"""The URL of requests through a socket; the admin server accepts this host."""


class Token(NamedTuple):
    """`text`: "" for none. `source`: the file or Secret that it is from."""

    text: str = ""
    source: str = ""


@contextlib.asynccontextmanager
async def connect(where: Where) -> AsyncGenerator[Replicas, None]:
    """The replicas. Raises SourceError when none can be found; those that do not answer raise with each request."""
    token = (
        Token(read_token(where.token_file), f"--token-file {where.token_file}")
        if where.token_file
        else Token()
    )
    async with contextlib.AsyncExitStack() as stack:
        if where.addresses:
            yield await _at(where.addresses, token, stack)
        elif not where.cluster and (local := await local_address()):
            yield await _at((local,), token, stack)
        else:
            yield await _in_cluster(where, token, stack)


@contextlib.asynccontextmanager
async def forwards(where: Where) -> AsyncGenerator[list[tuple[cluster.Pod, PortForward]], None]:
    """The ways to the pods in the cluster that run. Raises SourceError."""
    async with contextlib.AsyncExitStack() as stack:
        client, pods = await _pods(where, stack)
        yield [
            (pod, PortForward(client, pod.namespace, pod.name, pod.port)) for pod in pods if not pod.obstacle
        ]


async def local_address() -> str:
    """The URL of the default admin address if something listens there, else ""."""
    host, _, port = HttpSettings.admin.rpartition(":")
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return ""
    writer.close()
    return _LOCAL


async def _at(addresses: tuple[str, ...], token: Token, stack: contextlib.AsyncExitStack) -> Replicas:
    members = []
    for address in dict.fromkeys(addresses):
        if address.startswith(UNIX):
            session = await _session(stack, Path(address.removeprefix(UNIX)))
            members.append(Replica(address, address, _FORWARDED, session, token.text, token.source))
        else:
            session = await _session(stack)
            name = address.partition("://")[2]
            members.append(Replica(name, address, address, session, token.text, token.source))
    return Replicas(members)


async def _in_cluster(where: Where, token: Token, stack: contextlib.AsyncExitStack) -> Replicas:
    client, pods = await _pods(where, stack)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steerway-")))  # of mode 0700
    members: list[Replica] = []
    unavailable: dict[str, SteerwayError] = {}
    hint = ""
    if not token.text and (secret := next((pod for pod in pods if pod.secret), None)):
        text, hint = await cluster.token(client, secret)
        token = Token(text, f"Secret {secret.namespace}/{secret.secret}")
    for number, pod in enumerate(pods):
        if pod.obstacle:
            unavailable[pod.name] = SourceError(pod.obstacle)
            continue
        forward = PortForward(client, pod.namespace, pod.name, pod.port)
        socket = folder / str(number)
        await stack.enter_async_context(forward.on_socket(socket))
        replica = Replica(
            pod.name,
            f"port {pod.port} of pod {pod.namespace}/{pod.name}",
            _FORWARDED,
            await _session(stack, socket),
            token.text,
            token.source,
            failure=lambda forward=forward: forward.failure,  # type: ignore[misc]
        )
        replica.token_hint = hint or replica.token_hint
        members.append(replica)
    if not members:
        states = ", ".join(f"{name}: {error}" for name, error in unavailable.items())
        raise SourceError(f"no replica of steerway in namespace {pods[0].namespace} runs: {states}")
    return Replicas(members, unavailable)


async def _pods(where: Where, stack: contextlib.AsyncExitStack) -> tuple[KubernetesClient, list[cluster.Pod]]:
    try:
        access = Access.find(where.kubeconfig, where.context)
    except SourceError:
        if where.cluster:
            raise
        raise SourceError(
            f"no control plane answers at {_LOCAL}, and there is no kubeconfig: start one with `steerway serve`, or"
            " give its address with --address, or its cluster with --kubeconfig"
        ) from None
    client = KubernetesClient(access)
    stack.push_async_callback(client.close)
    own = detect_namespace(os.environ, access.kubeconfigs, access.context)
    namespaces = [where.namespace] if where.namespace else [_ALL_NAMESPACES, own, _CHART_NAMESPACE]
    return client, await cluster.find(client, dict.fromkeys(namespaces), where.selector, where.port)


async def _session(stack: contextlib.AsyncExitStack, socket: Path | None = None) -> aiohttp.ClientSession:
    """A session without the environment's proxies: replicas are near, or behind a socket."""
    connector = None if socket is None else aiohttp.UnixConnector(str(socket))
    return await stack.enter_async_context(aiohttp.ClientSession(connector=connector, trust_env=False))
