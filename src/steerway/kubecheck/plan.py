"""The checks in their order."""

from steerway.kubecheck.result import Check, Run, Section
from steerway.kubecheck.section import (
    api_server,
    certificate,
    client,
    definition,
    network,
    permission,
    pre,
    replica,
    webhook,
    workload,
)

_API = Section(
    "Kubernetes API",
    (
        Check("api-server", api_server.latency),
        Check("kubernetes-version", api_server.version, ("api-server",)),
        Check("built-in-kinds", api_server.kinds, ("api-server",)),
    ),
)
_NEEDS_API = ("api-server",)
_INSTALLED = ("api-server", "installation")
BEFORE = (
    _API,
    Section(
        "Before the installation",
        (
            Check("user-permissions", pre.user, _NEEDS_API),
            Check("definition-owner", pre.definition, _NEEDS_API),
            Check("names", pre.names, _NEEDS_API),
            Check("other-installations", pre.others, _NEEDS_API),
            Check("pod-admission", pre.admission, _NEEDS_API),
        ),
    ),
)
"""`--pre`."""


def installed(objects: Run) -> tuple[Section, ...]:
    """The checks of an installation. `objects`: that of the objects in the cluster."""
    return (
        _API,
        Section(
            "Installation",
            (
                Check("installation", replica.deployment, _NEEDS_API),
                Check("settings", replica.settings, _INSTALLED),
                Check("replicas", replica.pods, _INSTALLED),
                Check("versions", replica.versions, _INSTALLED),
                Check("health", replica.health, _INSTALLED),
                Check("lease", replica.lease, _INSTALLED),
            ),
        ),
        Section("Permissions", (Check("permissions", permission.granted, _INSTALLED),)),
        Section(
            "Definitions",
            (
                Check("policy-definitions", definition.our_kinds, _INSTALLED),
                Check("gateway-api", definition.gateway_api, _INSTALLED),
            ),
        ),
        Section(
            "Injection",
            (
                Check("webhook", webhook.configuration, _INSTALLED),
                Check("webhook-ca-bundle", webhook.ca_bundle, (*_INSTALLED, "webhook")),
                Check("webhook-certificate", webhook.certificate, _INSTALLED),
            ),
        ),
        Section(
            "Certificates and tokens",
            (
                Check("xds-certificate", certificate.xds, _INSTALLED),
                Check("admin-token", certificate.admin_token, _INSTALLED),
            ),
        ),
        Section(
            "Workload certificates",
            (
                Check("pod-certificates", workload.api, _INSTALLED),
                Check("signer", workload.signer, (*_INSTALLED, "pod-certificates")),
                Check("trust-bundle", workload.roots, (*_INSTALLED, "pod-certificates")),
            ),
        ),
        Section(
            "Network",
            (
                Check("service", network.service, _INSTALLED),
                Check("network-policy", network.policies, _INSTALLED),
            ),
        ),
        Section("Clients", (Check("client-libraries", client.old_libraries, _INSTALLED),)),
        Section("Objects", (Check("objects", objects, _INSTALLED),)),
    )
