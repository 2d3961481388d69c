"""The mutation of one pod: pure, idempotent, and limited to what the pod does not have.

A pod that was injected before is recognized by its annotation: only containers that other webhooks added since then are
injected. So the result applied twice is the result, and `reinvocationPolicy: IfNeeded` is safe.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from steerway.injection import content
from steerway.injection.choice import Choice, NotInjectedError, choose
from steerway.injection.options import InjectionOptions
from steerway.injection.patch import Operation, Patch
from steerway.injection.pod import LABEL, Container, Pod
from steerway.injection.report import INJECTED, Report, injected_containers

_MAX_ANNOTATIONS_BYTES = 256 * 1024
"""Kubernetes: TotalAnnotationSizeLimitB."""
_MAX_POD_BYTES = 1024 * 1024
"""etcd refuses 1.5 MiB; a pod is encoded more compactly there than in JSON."""

Result = Literal["injected", "unchanged", "not_injected"]


@dataclass(frozen=True, slots=True)
class Mutation:
    """`patch` is empty when nothing changes. `warnings` are for the user of the pod."""

    result: Result
    patch: tuple[Operation, ...] = ()
    warnings: tuple[str, ...] = ()


def inject(manifest: dict[str, Any], namespace: str, request_id: str, options: InjectionOptions) -> Mutation:
    """What to add to a pod that is created in `namespace`. `request_id` is unique among requests."""
    pod = Pod(manifest)
    if pod.labels.get(LABEL) == "disabled" or pod.is_mirror:
        return Mutation("unchanged")
    try:
        mutation = _injected(pod, namespace, request_id, options)
        _check_size(manifest, pod, mutation.patch)
    except NotInjectedError as error:
        return _not_injected(pod, str(error))
    return mutation


def _injected(pod: Pod, namespace: str, request_id: str, options: InjectionOptions) -> Mutation:
    """Raises NotInjectedError."""
    choice = choose(pod, options)
    before = _injected_before(pod)
    volumes = content.volumes(choice, options)
    for volume in volumes:
        if pod.has_volume(volume.name) and not before:
            raise NotInjectedError(f"the pod has a volume {volume.name} of its own: rename it")
    targets, skipped = _targets(pod, choice, before, [volume.mount_path for volume in volumes])
    if not targets and not before:
        raise NotInjectedError(_of_containers(skipped))
    annotations = {}
    if choice.method == "volume" and not (before and content.is_annotated(pod, namespace)):
        annotations[content.BOOTSTRAP_ANNOTATION] = content.annotation(
            pod, namespace, request_id, choice, options
        )
    if not targets and not annotations:
        return Mutation("unchanged")
    present = tuple(container.name for container in pod.containers() if container.name in before)
    names = (*present, *(container.name for container in targets))
    annotations[INJECTED] = Report(
        choice.method, choice.credentials, choice.certificates, names, skipped
    ).encode()
    patch = Patch()
    patch.set_all(pod.metadata, "/metadata", "annotations", annotations)
    manifests = [
        {"name": volume.name, "projected": {"sources": volume.sources}}
        for volume in volumes
        if not pod.has_volume(volume.name)
    ]
    patch.extend(pod.spec, "/spec", "volumes", manifests)
    mounts = [{"name": volume.name, "mountPath": volume.mount_path, "readOnly": True} for volume in volumes]
    for container in targets:
        added = content.variables(pod, choice, options)
        variables = [variable for variable in added if variable["name"] not in container.variables]
        patch.extend(container.manifest, container.path, "env", variables)
        patch.extend(container.manifest, container.path, "volumeMounts", mounts)
    return Mutation("injected", tuple(patch.operations), _warnings(pod, choice, skipped))


def _injected_before(pod: Pod) -> frozenset[str]:
    """Containers that are injected. The annotation alone does not show it: users copy annotations, too."""
    reported = injected_containers(pod.annotations)
    return frozenset(
        container.name for container in pod.containers() if container.name in reported and container.obstacle
    )


def _targets(
    pod: Pod, choice: Choice, before: frozenset[str], mount_paths: Sequence[str]
) -> tuple[tuple[Container, ...], dict[str, str]]:
    """The containers to change now, and the reasons of others."""
    writable = pod.writable_volumes
    targets, skipped = [], {}
    for container in choice.containers:
        if container.name in before:
            continue
        obstacle = container.obstacle or content.variable_obstacle(container, choice)
        for path in mount_paths:
            obstacle = obstacle or container.mount_obstacle(path, writable)
        if obstacle:
            skipped[container.name] = obstacle
        else:
            targets.append(container)
    return tuple(targets), skipped


def _check_size(manifest: dict[str, Any], pod: Pod, patch: tuple[Operation, ...]) -> None:
    """Raises NotInjectedError if the API server would refuse the pod with the patch for its size."""
    if not patch:
        return
    annotations = sum(len(key.encode()) + len(value.encode()) for key, value in pod.annotations.items())
    annotations += sum(len(json.dumps(item)) for item in patch if item["path"].startswith("/metadata/"))
    if annotations > _MAX_ANNOTATIONS_BYTES:
        raise NotInjectedError(f"its annotations would exceed {_MAX_ANNOTATIONS_BYTES // 1024} KiB")
    if len(json.dumps(manifest)) + len(json.dumps(patch)) > _MAX_POD_BYTES:
        raise NotInjectedError(f"the pod would exceed {_MAX_POD_BYTES // 1024} KiB")


def _not_injected(pod: Pod, reason: str) -> Mutation:
    """Annotate the reason, if that is possible and not done yet."""
    mutation = Mutation("not_injected", (), (f"steerway: not injected: {reason}",))
    text = Report(reason=reason).encode()
    if pod.annotations.get(INJECTED) == text:
        return mutation
    patch = Patch()
    patch.set_all(pod.metadata, "/metadata", "annotations", {INJECTED: text})
    annotated = replace(mutation, patch=tuple(patch.operations))
    try:
        _check_size({}, pod, annotated.patch)
    except NotInjectedError:
        return mutation
    return annotated


def _of_containers(skipped: dict[str, str]) -> str:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
    return f"no container can be injected: {reasons}"


def _warnings(pod: Pod, choice: Choice, skipped: dict[str, str]) -> tuple[str, ...]:
    warnings = [f"steerway: container {name} not injected: {reason}" for name, reason in skipped.items()]
    warnings += [f"steerway: no container has the name {name}" for name in choice.unknown]
    label = pod.labels.get(LABEL, "enabled")
    if label != "enabled":
        warnings.append(f"steerway: label {LABEL} is {label!r}: use enabled or disabled")
    if pod.uses_host_network:
        warnings.append(
            "steerway: the pod uses the host network: its address is that of the node, which no zone is found by, and"
            " which authentication.pod_address refuses"
        )
    return tuple(warnings)
