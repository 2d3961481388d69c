"""Which BackendTLSPolicy is for a port, and what it asks for.

One that names the port comes before one for the whole Service; of those for the same the older one counts
(`attachment.rank`). One that cannot be followed counts all the same: connections fail then, since plaintext is the last
thing that its author wants.

Source: Gateway API reference, BackendTLSPolicy v1 (GEP-1897).
"""

from collections.abc import Sequence
from typing import NamedTuple

from steerway.catalog.model.tls import BackendTLS
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.gateway import BackendTLSPolicy, BackendTLSValidation

INVALID = "Invalid"
NO_VALID_CERTIFICATE = "NoValidCACertificate"
INVALID_REFERENCE = "InvalidCACertificateRef"
INVALID_KIND = "InvalidKind"
SYSTEM = "System"


class InvalidReference(NamedTuple):
    """Why a policy cannot be followed: a reason of Accepted, one of ResolvedRefs ("" where the references are not to
    blame), in words, and what to do about it."""

    accepted: str
    resolved: str
    message: str
    remedy: str


def applied(policies: Sequence[BackendTLSPolicy], service: ObjectKey, port: str) -> BackendTLS | None:
    """What is asked for a port by its name ("" for none); None: no policy. `policies` target the Service, in the order
    of `attachment.rank`."""
    for section in (port, "") if port else ("",):
        if (policy := winner(policies, service, section)) is not None:
            return of_policy(policy)
    return None


def winner(policies: Sequence[BackendTLSPolicy], service: ObjectKey, section: str) -> BackendTLSPolicy | None:
    """The policy that counts among those for exactly this section ("": the whole) of a Service."""
    return next((policy for policy in policies if _is_on(policy, service, section)), None)


def _is_on(policy: BackendTLSPolicy, service: ObjectKey, section: str) -> bool:
    return any(
        (ref.group, ref.kind, ref.name, ref.section_name or "") == ("", "Service", service.name, section)
        for ref in policy.spec.target_refs
    )


def of_policy(policy: BackendTLSPolicy) -> BackendTLS:
    """What a policy asks for, whatever it is for."""
    validation, invalid = policy.spec.validation, invalid_reference(policy)
    names = validation.subject_alt_names or ()
    return BackendTLS(
        str(policy.key),
        validation.hostname,
        tuple(name.hostname or "" for name in names if name.type == "Hostname"),
        tuple(name.uri or "" for name in names if name.type == "URI"),
        "" if invalid is None else invalid.message,
        "" if invalid is None else invalid.remedy,
    )


def invalid_reference(policy: BackendTLSPolicy) -> InvalidReference | None:
    """Why a policy cannot be followed; None when it can."""
    validation = policy.spec.validation
    references = validation.ca_certificate_refs or []
    if not validation.hostname:
        return InvalidReference(
            INVALID, "", "validation.hostname is empty", "write the name in the server's certificate"
        )
    if bad := _bad_names(validation):
        return InvalidReference(INVALID, "", bad, "write type Hostname with hostname, or type URI with uri")
    if references and validation.well_known_ca_certificates:
        message = "validation has both caCertificateRefs and wellKnownCACertificates"
        return InvalidReference(INVALID, "", message, "remove one of them")
    if references:
        return _of_references(validation)
    if not validation.well_known_ca_certificates:
        message = "validation has neither caCertificateRefs nor wellKnownCACertificates"
        return InvalidReference(INVALID, "", message, f"write wellKnownCACertificates: {SYSTEM}")
    if validation.well_known_ca_certificates != SYSTEM:
        message = f"wellKnownCACertificates {validation.well_known_ca_certificates} is not supported"
        return InvalidReference(INVALID, "", message, f"write {SYSTEM}")
    return None


def _of_references(validation: BackendTLSValidation) -> InvalidReference:
    """The objects that are named are not read: a CA certificate in a ConfigMap has not reached any client."""
    others = [
        f"{ref.kind} {ref.name}"
        for ref in validation.ca_certificate_refs or ()
        if (ref.group, ref.kind) != ("", "ConfigMap")
    ]
    if others:
        message = f"caCertificateRefs names {', '.join(others)}, which is no ConfigMap"
        return InvalidReference(NO_VALID_CERTIFICATE, INVALID_KIND, message, "name a kind that is supported")
    named = ", ".join(ref.name for ref in validation.ca_certificate_refs or ())
    message = f"caCertificateRefs names ConfigMap {named}, and steerway does not read ConfigMaps"
    return InvalidReference(
        NO_VALID_CERTIFICATE,
        INVALID_REFERENCE,
        message,
        f"write wellKnownCACertificates: {SYSTEM}, if the CA is among those of Envoy's system",
    )


def _bad_names(validation: BackendTLSValidation) -> str:
    for name in validation.subject_alt_names or ():
        if name.type not in ("Hostname", "URI"):
            return f"subjectAltNames has the unknown type {name.type}"
        if not (name.hostname if name.type == "Hostname" else name.uri):
            return f"subjectAltNames has a {name.type} without a value"
    return ""
