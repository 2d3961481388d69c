"""A Kubernetes API server as a source: lists and watches Services and EndpointSlices."""

from steerway.sources.kubernetes.informer import InformerStatus
from steerway.sources.kubernetes.namespace import detect_namespace, kubeconfig_paths
from steerway.sources.kubernetes.source import KubernetesOptions, KubernetesSource

__all__ = ["InformerStatus", "KubernetesOptions", "KubernetesSource", "detect_namespace", "kubeconfig_paths"]
