"""ServerPolicy (steerway.io/v1alpha1): TLS of gRPC servers that get their Listener from the control plane, and
their authorization where no AuthorizationPolicy decides.

These types are the one definition of the resource, as those of TrafficPolicy are.
"""

from typing import Annotated, Literal

from msgspec import Meta

from steerway.sources.objects.slim import AttachedMeta, ObjectKey, Slim
from steerway.sources.policy.rule import Rule

_PortName = Annotated[str, Meta(min_length=1, max_length=63)]


class ServerTarget(Slim, frozen=True):
    group: Annotated[Literal[""], Meta(description='API group of the target: "", the core group.')]
    kind: Annotated[Literal["Service"], Meta(description="Kind of the target.")]
    name: Annotated[
        str,
        Meta(min_length=1, max_length=63, description="Name of the Service, in the policy's own namespace."),
    ]
    section_name: Annotated[
        _PortName | None, Meta(description="A port of the Service by its name. Without it: all.")
    ] = None


class ServerTlsSection(Slim, frozen=True):
    mode: Annotated[
        Literal["Strict", "Permissive", "Off"],
        Meta(
            description="Strict: TLS, and clients without a certificate are refused. Permissive: TLS, with or without "
            "a client certificate. Off: plaintext. Servers without a certificate provider in their bootstrap do not "
            "serve with Strict and Permissive."
        ),
    ]
    replaces: Annotated[
        Annotated[list[_PortName], Meta(min_length=1, max_length=16)] | None,
        Meta(
            description="With a sectionName: ports of the Service, by name. Clients with a certificate provider that "
            "dial one of them are sent to this port.",
        ),
    ] = None
    service_accounts: Annotated[
        Annotated[list[Annotated[str, Meta(min_length=1, max_length=253)]], Meta(min_length=1, max_length=64)]
        | None,
        Meta(
            description="Service accounts, in the policy's own namespace, whose certificates clients accept from the "
            "servers. Without it: those of the Pods behind the Service.",
        ),
    ] = None


class ServerAuthorizationSection(Slim, frozen=True):
    default: Annotated[
        Literal["Allow", "Deny"] | None,
        Meta(description="Result of calls where no AuthorizationPolicy with action Allow applies."),
    ] = None
    unsupported: Annotated[
        Literal["Refuse", "Serve"] | None,
        Meta(
            description="Servers whose library has no authorization (grpc-js), where a policy applies. Refuse: they "
            "get no Listener. Serve: they serve without authorization."
        ),
    ] = None


class ServerPolicySpec(Slim, frozen=True):
    target_refs: Annotated[
        Annotated[list[ServerTarget], Meta(min_length=1, max_length=16)] | None,
        Meta(
            description="What the policy is attached to. Without it: all servers of the namespace.",
        ),
    ] = None
    tls: Annotated[ServerTlsSection | None, Meta(description="TLS of the servers and of their clients.")] = (
        None
    )
    authorization: Annotated[
        ServerAuthorizationSection | None, Meta(description="Authorization where no rule decides.")
    ] = None


class ServerPolicy(Slim, frozen=True):
    """TLS of servers."""

    metadata: AttachedMeta
    spec: ServerPolicySpec

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("ServerPolicy", self.metadata.namespace, self.metadata.name)


RULES: tuple[Rule, ...] = (
    Rule(
        ServerPolicySpec,
        "!has(self.tls) || !has(self.tls.replaces)"
        " || (has(self.targetRefs) && self.targetRefs.all(t, has(t.sectionName)))",
        "tls.replaces needs targetRefs with a sectionName, the port that replaces others",
        lambda spec: (
            spec.tls is None
            or spec.tls.replaces is None
            or (spec.target_refs is not None and all(t.section_name is not None for t in spec.target_refs))
        ),
    ),
    Rule(
        ServerPolicySpec,
        "has(self.tls) || has(self.authorization)",
        "give tls or authorization",
        lambda spec: spec.tls is not None or spec.authorization is not None,
    ),
)
"""Of the structs of a ServerPolicy."""
