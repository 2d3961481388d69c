"""The workload that a pod belongs to.

Source: Kubernetes API reference, OwnerReference v1 meta; Deployment v1 apps (`pod-template-hash` ends the names of its
ReplicaSets).
"""

from steerway.sources.objects.core import Pod


def owner_of(pod: Pod) -> tuple[str, str]:
    """Kind and name of the controller of a pod: a Deployment instead of its ReplicaSet. The pod itself without one."""
    references = pod.metadata.owner_references or ()
    controller = next((reference for reference in references if reference.controller), None)
    if controller is None:
        return "Pod", pod.metadata.name
    labels = pod.metadata.labels
    template_hash = (labels or {}).get("pod-template-hash", "")
    suffix = f"-{template_hash}" if template_hash else ""
    if controller.kind == "ReplicaSet" and suffix and controller.name.endswith(suffix):
        return "Deployment", controller.name.removesuffix(suffix)
    return controller.kind, controller.name
