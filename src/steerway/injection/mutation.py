"""The mutation of one pod: pure, idempotent, and limited to what the pod does not have.

A pod that was injected before is recognized by its annotation: only containers that other webhooks added since then are
injected. So the result applied twice is the result, and `reinvocationPolicy: IfNeeded` is safe.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from steerway.bootstrap.document import Bootstrap, Node
from steerway.injection.choice import Choice, NotInjectedError, choose
from steerway.injection.options import BOOTSTRAP_FILE, MOUNT_PATH, InjectionOptions
from steerway.injection.patch import Operation, Patch
from steerway.injection.pod import BOOTSTRAP, BOOTSTRAP_CONFIG, LABEL, VOLUME, Container, Pod
from steerway.injection.report import INJECTED, Report, injected_containers

BOOTSTRAP_ANNOTATION = "steerway.io/bootstrap"
"""The content of the file, which the volume reads by the downward API."""
_NAME, _NAMESPACE = "INJECTED_POD_NAME", "INJECTED_POD_NAMESPACE"
"""Variables that the bootstrap refers to: names that no application uses."""
_CALL_CREDENTIALS = "GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS"
"""gRFC A97: enables call credentials in grpc-go and C-core."""

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
    sources = options.file_sources(choice.credentials)
    if choice.method == "volume":
        sources.append(_BOOTSTRAP_SOURCE)
    if sources and pod.has_volume and not before:
        raise NotInjectedError(f"the pod has a volume {VOLUME} of its own: rename it")
    targets, skipped = _targets(choice, before, mounts=bool(sources))
    if not targets and not before:
        raise NotInjectedError(_of_containers(skipped))
    if not targets:
        return Mutation("unchanged")
    present = tuple(container.name for container in pod.containers() if container.name in before)
    names = (*present, *(container.name for container in targets))
    report = Report(choice.method, choice.credentials, names, skipped)
    patch = Patch()
    annotations = {INJECTED: report.encode()}
    if choice.method == "volume" and not (before and BOOTSTRAP_ANNOTATION in pod.annotations):
        digest = hashlib.sha256(request_id.encode()).hexdigest()[:10]
        node_id = f"{pod.name_or_unique(digest)}.{namespace}"
        annotations[BOOTSTRAP_ANNOTATION] = _document(pod, node_id, namespace, choice, options)
    patch.set_all(pod.metadata, "/metadata", "annotations", annotations)
    if sources and not pod.has_volume:
        volume = {"name": VOLUME, "projected": {"sources": sources}}
        patch.extend(pod.spec, "/spec", "volumes", [volume])
    for container in targets:
        present_variables = container.variables
        variables = [
            variable
            for variable in _variables(pod, choice, options)
            if variable["name"] not in present_variables
        ]
        patch.extend(container.manifest, container.path, "env", variables)
        if sources:
            mount = {"name": VOLUME, "mountPath": MOUNT_PATH, "readOnly": True}
            patch.extend(container.manifest, container.path, "volumeMounts", [mount])
    return Mutation("injected", tuple(patch.operations), _warnings(pod, choice, skipped))


_BOOTSTRAP_SOURCE: dict[str, Any] = {
    "downwardAPI": {
        "items": [
            {
                "path": BOOTSTRAP_FILE,
                "fieldRef": {"fieldPath": f"metadata.annotations['{BOOTSTRAP_ANNOTATION}']"},
            }
        ]
    }
}


def _injected_before(pod: Pod) -> frozenset[str]:
    """Containers that are injected. The annotation alone does not show it: users copy annotations, too."""
    reported = injected_containers(pod.annotations)
    return frozenset(
        container.name for container in pod.containers() if container.name in reported and container.obstacle
    )


def _targets(
    choice: Choice, before: frozenset[str], *, mounts: bool
) -> tuple[tuple[Container, ...], dict[str, str]]:
    """The containers to change now, and the reasons of others. `mounts`: whether the volume is mounted."""
    targets, skipped = [], {}
    for container in choice.containers:
        if container.name in before:
            continue
        obstacle = container.obstacle or (container.mount_obstacle() if mounts else "")
        if obstacle:
            skipped[container.name] = obstacle
        else:
            targets.append(container)
    return tuple(targets), skipped


def _variables(pod: Pod, choice: Choice, options: InjectionOptions) -> list[dict[str, Any]]:
    """In the order that `$(NAME)` needs: a variable refers to those before it."""
    variables: list[dict[str, Any]] = []
    if options.sends_token(choice.credentials):
        variables.append({"name": _CALL_CREDENTIALS, "value": "true"})
    if choice.method == "volume":
        return [*variables, {"name": BOOTSTRAP, "value": f"{MOUNT_PATH}/{BOOTSTRAP_FILE}"}]
    name, namespace = f"$({_NAME})", f"$({_NAMESPACE})"
    document = _document(pod, f"{name}.{namespace}", namespace, choice, options)
    return [
        *variables,
        {"name": _NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": _NAMESPACE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": BOOTSTRAP_CONFIG, "value": document},
    ]


def _document(pod: Pod, node_id: str, namespace: str, choice: Choice, options: InjectionOptions) -> str:
    """The bootstrap. The values of labels and names cannot contain `$(`."""
    node = Node(id=node_id, cluster=pod.workload, metadata={"NAMESPACE": namespace})
    bootstrap = Bootstrap(servers=options.servers[choice.credentials], node=node)
    return json.dumps(bootstrap.document(), separators=(",", ":"))


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
            "steerway: the pod uses the host network: its address is not its own, so its zone is unknown"
        )
    return tuple(warnings)
