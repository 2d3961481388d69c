"""Which certificates are issued when: a pure function of the present ones and the time.

::

    CA in use ──a third of its life remains──▶ the next CA is made ──the API server trusts it──▶ it is in use,
                                                                                              the former one is retired

Without this order, certificates of a new CA would be refused until the `caBundle` has it, and pods started meanwhile
would not be injected.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from steerway.certificate.pair import Pair, issue, new_authority, parsed
from steerway.injection.certificate.material import Material

AUTHORITY_LIFETIME = timedelta(days=365)
SERVING_LIFETIME = timedelta(days=30)
"""A third of it is time to notice that the renewal fails."""


def rotated(
    present: Material | None, names: Sequence[str], now: datetime, *, upcoming_trusted: bool
) -> Material:
    """What is to be in the Secret; equal to `present` when nothing is due. `names` are the DNS names of the webhook;
    `upcoming_trusted`: the API server trusts the next CA."""
    if present is None or present.authority.has_expired(now):
        authority = _new_authority(now)
        return Material(authority, issue(authority, names, now, SERVING_LIFETIME))
    material = replace(
        present,
        retired=tuple(
            certificate for certificate in present.retired if parsed(certificate).not_valid_after_utc > now
        ),
    )
    if material.upcoming is not None and upcoming_trusted:
        former = material.authority.certificate
        material = Material(material.upcoming, material.serving, None, (former, *material.retired))
    elif material.upcoming is None and material.authority.is_due(now):
        material = replace(material, upcoming=_new_authority(now))
    if not _is_current(material, names, now):
        material = replace(material, serving=issue(material.authority, names, now, SERVING_LIFETIME))
    return material


def _is_current(material: Material, names: Sequence[str], now: datetime) -> bool:
    serving = material.serving
    return (
        not serving.is_due(now)
        and set(serving.names) == set(names)
        and material.authority.has_issued(serving)
    )


def _new_authority(now: datetime) -> Pair:
    # A CA that outlives the certificates that it issues.
    return new_authority("steerway injection CA", now, AUTHORITY_LIFETIME)
