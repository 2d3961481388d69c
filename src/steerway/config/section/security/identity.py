"""Settings of the identities of workloads."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

DEFAULT_SIGNER = "steerway.io/spiffe"


@dataclass(frozen=True, kw_only=True)
class IdentitySettings:
    """Identities of workloads: SPIFFE IDs in their certificates.

    [How workloads get certificates](security.md#workload-identities).
    """

    trust_domain: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9._-]{1,255}\Z",
            title="SPIFFE trust domain of workloads",
            description="1 to 255 lower-case letters, digits, dots, dashes and underscores",
            extra={"metavar": "NAME"},
        ),
    ] = "cluster.local"
    """Trust domain of the SPIFFE IDs of workloads, `spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT`. It must be the one
    of the signer of the certificates; a change refuses the connections of all certificates in use."""

    signer_name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z",
            title="Signer of the certificates of workloads",
            description="DOMAIN/NAME in lower case",
            extra={"metavar": "DOMAIN/NAME"},
        ),
    ] = DEFAULT_SIGNER
    """`signerName` of the PodCertificateRequests that `steerway signer` issues, and of the `podCertificate` volumes
    that the injection webhook adds."""
