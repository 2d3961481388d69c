"""The installation: Deployment, settings, pods, versions, and the Lease of the replica that writes."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import steerway
from steerway.control.status import lease_name
from steerway.kubecheck import installation
from steerway.kubecheck.context import Context
from steerway.kubecheck.installation import Installation
from steerway.kubecheck.permission import writes
from steerway.kubecheck.reader import Manifest
from steerway.kubecheck.result import Result, error, ok, skipped, warning
from steerway.report.lease import DURATION_SECONDS, Record

_POLL_SECONDS = 0.5


async def deployment(context: Context) -> Sequence[Result]:
    """Sets `context.installation`."""
    deployments = await installation.find(context.reader, context.namespace)
    where = f"in namespace {context.namespace}" if context.namespace else "in any namespace"
    if not deployments:
        hint = f"install the chart, or name its namespace with --steerway-namespace (label {installation.SELECTOR})"
        return [error(f"there is no Deployment of steerway {where}", hint)]
    names = [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in deployments]
    if len(deployments) > 1:
        hint = "choose one by its namespace: --steerway-namespace"
        return [error(f"there are several Deployments of steerway {where}: {', '.join(names)}", hint)]
    context.installation = await installation.load(context.reader, deployments[0])
    return [ok(f"Deployment {names[0]} exists")]


async def settings(context: Context) -> Sequence[Result]:
    installed = context.installed
    if installed.settings_error:
        hint = "correct the settings, and upgrade the release; the checks below assume the defaults"
        return [error(line, hint) for line in installed.settings_error.splitlines()]
    return [ok("the settings are valid")]


async def pods(context: Context) -> Sequence[Result]:
    installed = context.installed
    status = installed.deployment.get("status") or {}
    wanted = int(installed.deployment["spec"].get("replicas", 1))
    ready = [pod for pod in installed.pods if _is_ready(pod)]
    if not wanted:
        hint = f"kubectl --namespace {installed.namespace} scale deployment/{installed.name} --replicas=2"
        return [error("the Deployment has 0 replicas: no client is served", hint)]
    results = [_not_ready(installed, pod) for pod in installed.pods if not _is_ready(pod)]
    if len(ready) < wanted and not results:
        hint = f"kubectl --namespace {installed.namespace} describe replicasets"
        results.append(error(f"{len(installed.pods)} of {wanted} pods exist", hint))
    updated = int(status.get("updatedReplicas") or 0)
    if not results and updated < wanted:
        hint = f"wait for it: kubectl --namespace {installed.namespace} rollout status deployment/{installed.name}"
        results.append(warning(f"a rollout goes on: {updated} of {wanted} pods have the new settings", hint))
    if wanted == 1:
        results.append(warning("there is 1 replica: updates stop while it restarts", "set replicas to 2"))
    return results or [ok(f"{len(ready)} of {wanted} replicas are ready")]


def _is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _not_ready(installed: Installation, pod: Manifest) -> Result:
    name = pod["metadata"]["name"]
    reason, log = _reason(pod)
    command = f"logs {name} --container {installed.container['name']}" if log else f"describe pod {name}"
    return error(f"pod {name} is not ready: {reason}", f"kubectl --namespace {installed.namespace} {command}")


def _reason(pod: Manifest) -> tuple[str, bool]:
    """Why a pod is not ready, and whether its log has more."""
    status = pod.get("status") or {}
    if "deletionTimestamp" in pod["metadata"]:
        return "it terminates", False
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return f"not scheduled: {condition.get('message', '')}", False
    for container in status.get("containerStatuses") or []:
        state = container.get("state") or {}
        last = (container.get("lastState") or {}).get("terminated") or state.get("terminated")
        if last:
            return f"the container ended with exit code {last.get('exitCode')} ({last.get('reason')})", True
        if waiting := state.get("waiting"):
            return f"{waiting.get('reason')}: {waiting.get('message', '')}".rstrip(": "), False
    return "its readiness probe fails", True


async def versions(context: Context) -> Sequence[Result]:
    """Of the replicas among each other, and of this command."""
    installed = context.installed
    by_version: dict[str, list[str]] = {}
    for replica, status in (await _statuses(context)).items():
        if not isinstance(status, Exception):
            by_version.setdefault(str(status["version"]), []).append(replica)
    if not by_version:
        label = (installed.deployment["metadata"].get("labels") or {}).get("app.kubernetes.io/version")
        if not label:
            return [skipped("the version of the replicas is unknown")]
        by_version = {str(label): ["the Deployment"]}
    results = []
    if len(by_version) > 1:
        listed = "; ".join(f"{version}: {', '.join(names)}" for version, names in sorted(by_version.items()))
        command = f"kubectl --namespace {installed.namespace} rollout status deployment/{installed.name}"
        results.append(
            warning(f"replicas have different versions: {listed}", f"finish the rollout: {command}")
        )
    own = steerway.__version__
    others = sorted(version for version in by_version if version != own)
    if others:
        hint = "use the command of the same version, whose checks and settings are those of the replicas"
        results.append(warning(f"this command has version {own}, replicas {', '.join(others)}", hint))
    return results or [ok(f"replicas and this command have version {own}")]


async def health(context: Context) -> Sequence[Result]:
    """What the replicas report of themselves."""
    statuses = await _statuses(context)
    if not statuses:
        return [skipped("the admin servers of the replicas were not asked")]
    results: list[Result] = []
    for replica, status in statuses.items():
        if isinstance(status, Exception):
            hint = (
                getattr(status, "hint", "")
                or f"kubectl --namespace {context.installed.namespace} logs {replica}"
            )
            results.append(warning(f"replica {replica} does not answer: {status}", hint))
        else:
            results += _health(replica, status)
    return results or [ok(f"{len(statuses)} replicas serve, without problems")]


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _health(replica: str, status: Mapping[str, Any]) -> Iterator[Result]:
    if not status.get("ready"):
        missing = "; ".join(map(str, status.get("missing") or ())) or status.get("phase")
        yield error(
            f"replica {replica} is not ready: {missing}", "grant or start what is missing; it goes on"
        )
    if refused := (status.get("states") or {}).get("refused"):
        hint = "steerway clients --state refused, and steerway problems"
        yield error(f"replica {replica}: {refused} stream{_s(refused)} with a refused configuration", hint)
    if problems := status.get("problems"):
        hint = "steerway problems lists them, each with its fix"
        yield warning(f"replica {replica} reports {problems} problem{_s(problems)}", hint)
    limits = {name: count for name, count in (status.get("refused") or {}).items() if count}
    if limits:
        listed = ", ".join(f"{name} ({count})" for name, count in limits.items())
        yield warning(f"replica {replica} has refused connections or streams: {listed}", "raise the limit")


async def _statuses(context: Context) -> Mapping[str, Any]:
    if context.replicas is None:
        return {}
    return await context.replicas.get("/api/v1/status")


async def lease(context: Context) -> Sequence[Result]:
    """A change of the record shows that its holder is alive; clocks are not compared."""
    installed = context.installed
    if not writes(installed.settings):
        return [ok("no Lease is needed: nothing is written to the API server")]
    namespace = installed.settings.kubernetes.lease_namespace or installed.namespace
    name = lease_name(installed.settings)
    where = f"Lease {namespace}/{name}"
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
    manifest = await context.reader.fresh(path)
    if manifest is None:
        return [
            error(f"{where} does not exist", "create it, or upgrade the release", _lease(namespace, name))
        ]
    first = Record.of(manifest)
    last = first
    for _ in range(int(DURATION_SECONDS / _POLL_SECONDS)):
        if last != first and last.holder:
            break
        await asyncio.sleep(_POLL_SECONDS)
        last = Record.of(await context.reader.fresh(path) or manifest)
    logs = f"kubectl --namespace {installed.namespace} logs deployment/{installed.name}"
    if last == first or not last.holder:
        holder = f"held by {last.holder}, and " if last.holder else ""
        reason = f"{where} is {holder}not renewed: neither Events nor status are written"
        return [error(reason, f"check the permissions below, and {logs}")]
    if last.holder.partition("_")[0] not in {pod["metadata"]["name"] for pod in installed.pods}:
        reason = f"{where} is held by {last.holder}, which is no pod of the Deployment"
        return [warning(reason, "give each installation a Lease of its own: kubernetes.lease_name")]
    return [ok(f"{where} is renewed by {last.holder}")]


def _lease(namespace: str, name: str) -> str:
    metadata = {"name": name, "namespace": namespace}
    return json.dumps({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata})
