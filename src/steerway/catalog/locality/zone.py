"""How near zones are, and what a policy makes of it: tiers of zones for a client, and how requests spread within one.

A tier is used when no endpoint of the tiers before it can be reached, which clients find out by themselves. For a
client that is in no known zone, nothing is nearer than anything else.

The region of a zone is that of the endpoint, else that in the name of the zone: providers name zones after their
region (`us-east-1a`, `europe-west1-b`, `westeurope-2`).
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from steerway.catalog.locality import spill
from steerway.catalog.model.mesh import Endpoint, Locality
from steerway.catalog.model.policy import ZoneMode, Zones

_ZONE = re.compile(
    r"""
    (?P<region>
        .*-[0-9]+(?=[a-z]\Z)            # us-east-1a
        | [^-]*[0-9](?=[a-z]\Z)         # fra1a
        | .*[^-](?=-[A-Za-z0-9]+\Z)     # europe-west1-b, us-central1-ai1a, westeurope-2, PHX-AD-1
    ).*
    """,
    re.VERBOSE,
)


class Plan(NamedTuple):
    """Zones to tiers (0 first; a zone that is not there gets nothing), and the weights of zones of one tier ({}: as
    many as they have endpoints)."""

    tiers: Mapping[str, int]
    weights: Mapping[str, int]


def region_of(locality: Locality) -> str:
    """The region; "" when it is unknown."""
    if locality.region:
        return locality.region
    match = _ZONE.fullmatch(locality.zone)
    return match["region"] if match else ""


def plan(zones: Zones, endpoints: Sequence[Endpoint], own: str) -> Plan:
    """What a policy means for a client in the zone `own` ("" for one in none that is known)."""
    # Where clusters disagree on a zone's region, a stated one counts.
    localities = {
        locality.zone: locality for locality in sorted({endpoint.locality for endpoint in endpoints})
    }
    alike = Plan(dict.fromkeys(localities, 0), {})
    if zones.mode is ZoneMode.DISABLED:
        return alike
    if zones.mode is ZoneMode.SPILL:
        return _spill(zones, endpoints, localities, own)
    if not own:
        return alike
    if zones.mode is ZoneMode.STRICT:
        return Plan({own: 0} if own in localities else {}, {})
    if zones.mode is ZoneMode.FAVOR:
        weights = {zone: zones.favor_weight if zone == own else 1 for zone in localities}
        # With nothing to favour, equal zones would overload the small ones.
        return Plan(alike.tiers, weights) if own in localities else alike
    return Plan({zone: _distance(localities, zone, own) for zone in localities}, {})


def _distance(localities: Mapping[str, Locality], zone: str, own: str) -> int:
    if not own or zone == own:
        return 0
    region = region_of(localities.get(own, Locality(zone=own)))
    return 1 if region and region == region_of(localities[zone]) else 2


def _spill(zones: Zones, endpoints: Sequence[Endpoint], localities: Mapping[str, Locality], own: str) -> Plan:
    counts = Counter(endpoint.locality.zone for endpoint in endpoints)
    rows = spill.shares(counts, zones.overload_factor, dict(zones.demand) or None)
    weights = spill.weights(rows.get(own, rows[spill.ELSEWHERE])) if rows else {}
    tiers = {zone: 0 if zone in weights else max(1, _distance(localities, zone, own)) for zone in localities}
    return Plan(tiers, weights)
