"""AuthorizationPolicy (steerway.io/v1alpha1): which clients may call which methods of gRPC servers.

These types are the one definition of the resource, as those of TrafficPolicy are. The Gateway API has no such kind.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from steerway.config.unit import LABEL
from steerway.sources.objects.slim import AttachedMeta, ObjectKey, Slim
from steerway.sources.policy.rule import Rule
from steerway.sources.policy.server_policy import ServerTarget

_ACCOUNT = rf"^({LABEL}/)?{LABEL}(\.{LABEL})*\Z"
_PRINCIPAL = r"^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)*/?\*?\Z"
# The names of protobuf services, which may be without a package.
_SERVICE = r"^[A-Za-z_][A-Za-z0-9_.]*\Z"
_METHOD = r"^[A-Za-z_][A-Za-z0-9_]*\Z"
_HEADER = r"^[a-z0-9!#$%&'*+\-.^_\x60|~]+\Z"
"""A token of HTTP (RFC 9110, 5.6.2) in lower case, as HTTP/2 has it."""
_UNSEEN = ("te", "host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")
"""Headers that servers of some library do not see, or refuse in a rule."""


class Source(Slim, frozen=True):
    namespaces: Annotated[
        Annotated[
            list[Annotated[str, Meta(min_length=1, max_length=63, pattern=rf"^{LABEL}\Z")]],
            Meta(min_length=1, max_length=64),
        ]
        | None,
        Meta(description="Namespaces of clients."),
    ] = None
    service_accounts: Annotated[
        Annotated[
            list[Annotated[str, Meta(min_length=1, max_length=317, pattern=_ACCOUNT)]],
            Meta(min_length=1, max_length=64),
        ]
        | None,
        Meta(
            description="Service accounts of clients: NAMESPACE/NAME, or NAME in the policy's own namespace.",
        ),
    ] = None
    principals: Annotated[
        Annotated[
            list[Annotated[str, Meta(min_length=1, max_length=1024, pattern=_PRINCIPAL)]],
            Meta(min_length=1, max_length=64),
        ]
        | None,
        Meta(
            description="SPIFFE IDs of clients; with a * at the end: all that begin so.",
        ),
    ] = None


class Operation(Slim, frozen=True):
    services: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=256, pattern=_SERVICE)]],
        Meta(min_length=1, max_length=64, description="gRPC services with their package: shop.Cart."),
    ]
    methods: Annotated[
        Annotated[
            list[Annotated[str, Meta(min_length=1, max_length=256, pattern=_METHOD)]],
            Meta(min_length=1, max_length=64),
        ]
        | None,
        Meta(description="Methods of these services. Without it: all."),
    ] = None


class Header(Slim, frozen=True):
    name: Annotated[
        str,
        Meta(min_length=1, max_length=256, pattern=_HEADER, description="Name of the header in lower case."),
    ]
    type: Annotated[
        Literal["Exact", "Present", "RegularExpression"],
        Meta(description="How the value matches; a regular expression (RE2) must match all of it."),
    ] = "Exact"
    value: Annotated[
        Annotated[str, Meta(min_length=1, max_length=1024)] | None,
        Meta(description="The value, or the regular expression. Not with Present."),
    ] = None


class AuthorizationRule(Slim, frozen=True):
    from_: Annotated[
        Annotated[list[Source], Meta(min_length=1, max_length=16)] | None,
        Meta(
            description="Clients: those that one of the lists contains. Without it: all, also those without a "
            "certificate.",
        ),
    ] = field(default=None, name="from")
    to: Annotated[
        Annotated[list[Operation], Meta(min_length=1, max_length=16)] | None,
        Meta(description="Calls: those of one of the items. Without it: all."),
    ] = None
    headers: Annotated[
        Annotated[list[Header], Meta(min_length=1, max_length=16)] | None,
        Meta(description="Headers of the call: all of them must match."),
    ] = None


class AuthorizationPolicySpec(Slim, frozen=True):
    target_refs: Annotated[
        Annotated[list[ServerTarget], Meta(min_length=1, max_length=16)] | None,
        Meta(
            description="What the policy is attached to. Without it: all servers of the namespace.",
        ),
    ] = None
    action: Annotated[
        Literal["Allow", "Deny"],
        Meta(
            description="Deny: calls that a rule matches are refused. Allow: of the others those are accepted that a "
            "rule of some policy with this action matches."
        ),
    ] = "Allow"
    mode: Annotated[
        Literal["Enforce", "Audit"],
        Meta(
            description="Audit: the policy changes no result; servers of grpc-go log the calls that its rules match."
        ),
    ] = "Enforce"
    rules: Annotated[
        Annotated[list[AuthorizationRule], Meta(min_length=1, max_length=64)] | None,
        Meta(description="Without rules, a policy that allows allows nothing."),
    ] = None


class AuthorizationPolicy(Slim, frozen=True):
    """Which calls servers accept."""

    metadata: AttachedMeta
    spec: AuthorizationPolicySpec = AuthorizationPolicySpec()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("AuthorizationPolicy", self.metadata.namespace, self.metadata.name)


RULES: tuple[Rule, ...] = (
    Rule(
        Source,
        "has(self.namespaces) || has(self.serviceAccounts) || has(self.principals)",
        "give namespaces, serviceAccounts or principals",
        lambda source: any((source.namespaces, source.service_accounts, source.principals)),
    ),
    Rule(
        Header,
        "(self.type == 'Present') == !has(self.value)",
        "give a value, except with type Present",
        lambda header: (header.type == "Present") == (header.value is None),
    ),
    Rule(
        Header,
        f"!self.name.startsWith('grpc-') && !self.name.endsWith('-bin') && !(self.name in {list(_UNSEEN)})",
        "servers do not see this header as it is",
        lambda header: (
            not header.name.startswith("grpc-")
            and not header.name.endswith("-bin")
            and header.name not in _UNSEEN
        ),
    ),
    Rule(
        AuthorizationRule,
        "has(self.from) || has(self.to) || has(self.headers)",
        "give from, to or headers; a policy without rules is about every call",
        lambda rule: any((rule.from_, rule.to, rule.headers)),
    ),
    Rule(
        AuthorizationPolicySpec,
        "self.action == 'Allow' || has(self.rules)",
        "a policy that denies needs rules",
        lambda spec: spec.action == "Allow" or spec.rules is not None,
    ),
)
"""Of the structs of an AuthorizationPolicy."""
