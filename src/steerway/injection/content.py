"""What a container gets: the bootstrap of its pod, and the variables with it."""

import hashlib
import json
from typing import Any, NamedTuple

from steerway.bootstrap.document import SERVER_LISTENER_TEMPLATE, Bootstrap, FileWatcher, Node
from steerway.injection.choice import Choice
from steerway.injection.options import BOOTSTRAP_FILE, CERTIFICATES_PATH, MOUNT_PATH, InjectionOptions
from steerway.injection.pod import (
    BOOTSTRAP,
    BOOTSTRAP_CONFIG,
    CERTIFICATES_VOLUME,
    VOLUME,
    Container,
    Pod,
)
from steerway.translate.client.metadata import NAMESPACE

BOOTSTRAP_ANNOTATION = "steerway.io/bootstrap"
"""The content of the file, which the volume reads by the downward API."""
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
_NAME, _NAMESPACE = "INJECTED_POD_NAME", "INJECTED_POD_NAMESPACE"
"""Variables that the bootstrap refers to: names that no application uses."""
_CALL_CREDENTIALS = "GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS"
"""gRFC A97: enables call credentials in grpc-go and C-core."""


class Volume(NamedTuple):
    """A projected volume, and where containers mount it."""

    name: str
    mount_path: str
    sources: list[dict[str, Any]]


def volumes(choice: Choice, options: InjectionOptions) -> tuple[Volume, ...]:
    """Those that the choice needs."""
    added = []
    files = options.file_sources(choice.credentials)
    if choice.method == "volume":
        files.append(_BOOTSTRAP_SOURCE)
    if files:
        added.append(Volume(VOLUME, MOUNT_PATH, files))
    if choice.certificates:
        added.append(Volume(CERTIFICATES_VOLUME, CERTIFICATES_PATH, options.certificate_sources()))
    return tuple(added)


def variables(pod: Pod, choice: Choice, options: InjectionOptions) -> list[dict[str, Any]]:
    """In the order that `$(NAME)` needs: a variable refers to those before it."""
    added: list[dict[str, Any]] = []
    if options.sends_token(choice.credentials):
        added.append({"name": _CALL_CREDENTIALS, "value": "true"})
    if choice.method == "volume":
        return [*added, {"name": BOOTSTRAP, "value": f"{MOUNT_PATH}/{BOOTSTRAP_FILE}"}]
    name, namespace = f"$({_NAME})", f"$({_NAMESPACE})"
    document = _document(pod, f"{name}.{namespace}", namespace, choice, options)
    return [
        *added,
        {"name": _NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": _NAMESPACE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": BOOTSTRAP_CONFIG, "value": document},
    ]


def variable_obstacle(container: Container, choice: Choice) -> str:
    """Why the bootstrap would have a wrong node id; "" if it would not."""
    for name in (_NAME, _NAMESPACE):
        if choice.method == "environment" and name in container.variables:
            return f"its env has {name}, which the bootstrap refers to"
    return ""


def annotation(pod: Pod, namespace: str, request_id: str, choice: Choice, options: InjectionOptions) -> str:
    """The bootstrap of the file. `request_id` makes the node id unique where the pod has no name yet."""
    digest = hashlib.sha256(request_id.encode()).hexdigest()[:10]
    return _document(pod, f"{pod.name_or_unique(digest)}.{namespace}", namespace, choice, options)


def is_annotated(pod: Pod, namespace: str) -> bool:
    """Whether the annotation is that of this pod, and not of one whose manifest was copied."""
    try:
        node: Any = json.loads(pod.annotations.get(BOOTSTRAP_ANNOTATION, ""))["node"]
        node_id, node_namespace = str(node["id"]), node["metadata"][NAMESPACE]
    except (ValueError, RecursionError, KeyError, TypeError):
        return False
    named = pod.metadata.get("name")
    return node_namespace == namespace and (not named or node_id == f"{named}.{namespace}")


def _document(pod: Pod, node_id: str, namespace: str, choice: Choice, options: InjectionOptions) -> str:
    """The bootstrap. The values of labels and names cannot contain `$(`."""
    node = Node(id=node_id, cluster=pod.workload, metadata={NAMESPACE: namespace})
    bootstrap = Bootstrap(
        servers=options.servers[choice.credentials],
        node=node,
        server_listener_template=SERVER_LISTENER_TEMPLATE,
    )
    if choice.certificates:
        bootstrap = bootstrap.with_certificates(FileWatcher(CERTIFICATES_PATH))
    return json.dumps(bootstrap.document(), separators=(",", ":"))
