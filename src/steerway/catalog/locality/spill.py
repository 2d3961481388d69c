"""Which share of a client zone's requests goes to which endpoint zone: home first, and only what is too much goes away.

Of N endpoints one has a fair share of 1/N of all requests, and may carry at most f/N under the overload factor f. Zone
z with n endpoints so has the capacity f*n/N. It keeps what it can carry of its own demand; its excess goes to the zones
with spare capacity, in proportion to that.

One round suffices: spare capacity minus excess, each summed over the zones, is capacity minus demand, f - 1 >= 0.
So each zone gets the part excess/spare <= 1 of its spare capacity, and no endpoint gets more than f/N.

A small change has small effects. For the same demand, one more endpoint in zone z (n of N before) changes the load of
each zone by at most f*(N-n)/(N*(N+1)) <= f/(N+1): the capacity that z gains and the others lose. For when a little
capacity moves from one zone to another, no more load than that moves. Between two zones with excess it is all of it;
between two with spare capacity the part excess/spare; from one kind to the other, the one that has the excess changes
by all of it, and the zones with spare capacity share that, all in the same direction. No smaller bound holds: a new
zone with enough demand gets f/(N+1). At most twice that share of all requests goes to another zone than before.

The row of a zone with next to no demand has no such bound, nor has `ELSEWHERE`: with a factor near 1 there may be one
zone with spare capacity now and another one later. The further the factor is from 1, the less the rows change.

What the obvious ways get wrong: weights of 1000:1 for the own zone, as in k8s-xds, overload a zone with many clients
and few endpoints, whatever it can carry. Priorities alone do so too, until endpoints fail. Topology hints (KEP-2433)
do see the overload, but then they vanish for all zones at once (above 30 %, and come back below 20 %): with three
zones, one endpoint less may send two thirds of all requests to another zone. Envoy's zone aware routing is like this
with a factor of 1: equal load to the last percent, even if that sends requests away, and each client has to know all
clients of its service.

Not done here: health and weights of endpoints (the caller decides which endpoints count), finding out the demand,
regions, and requests that cost more than others. Nor does a share follow a zone whose endpoints fail: that needs new
counts.

Sources: Envoy, "Zone aware routing" (residual capacity) and `LocalityLbEndpoints` (weights); Kubernetes, KEP-2433,
"Overload".
"""

import math
from collections.abc import Mapping

ELSEWHERE = ""
"""The client zone for clients in none of the others, or with an unknown zone."""

_SCALE = 10_000
_ROUNDING = 1e-12
"""A part of all requests that is nothing but the rounding of the weights: it shall not decide which zone has spare."""


def shares(
    endpoints: Mapping[str, int],
    overload_factor: float,
    demand: Mapping[str, float] | None = None,
) -> dict[str, dict[str, float]]:
    """Client zone -> endpoint zone -> the share of the client zone's requests; empty if there are no endpoints.

    Each row sums to 1, and has no zeros. `demand` has the weights of the client zones: all of a zone without endpoints
    is excess, a zone that it leaves out has capacity only, and without any weight above 0 the zones with endpoints are
    equal. The row `ELSEWHERE` goes by spare capacity; if there is none, by the number of endpoints. Endpoints of
    an unknown zone ("") are local for no client, including those of an unknown zone.

    Raises ValueError for a number that makes no sense.
    """
    if not (math.isfinite(overload_factor) and overload_factor >= 1):
        raise ValueError(f"overload factor: {overload_factor} is not a finite number of at least 1")
    _check("number of endpoints", endpoints)
    _check("demand", demand or {})
    fair = _normalised(endpoints)
    capacity = {zone: overload_factor * part for zone, part in fair.items()}
    wanted = _normalised(demand or {}) or _normalised(dict.fromkeys(fair, 1))
    retained = {zone: _kept(zone, wanted.get(zone, 0.0), most) for zone, most in capacity.items()}
    spare = {
        zone: most - retained[zone] for zone, most in capacity.items() if most - retained[zone] > _ROUNDING
    }
    away = _normalised(spare) or fair
    if not away:
        return {}
    rows = {ELSEWHERE: away}
    for zone in {*endpoints, *(demand or {})} - {ELSEWHERE}:
        at_home = (
            retained[zone] / wanted[zone] if zone in retained and zone in wanted else float(zone in retained)
        )
        rows[zone] = _row(zone, at_home, away)
    return rows


def weights(row: Mapping[str, float]) -> dict[str, int]:
    """A row as the weights of localities in xDS, about 10 000 in all.

    What rounds to 0 is left out, as no weight may be 0; if everything does, all the zones are equal. Each
    weight is rounded by itself, so that a small change of one does not make others change.
    """
    _check("share", row)
    parts = _normalised(row)
    rounded = {zone: round(part * _SCALE) for zone, part in parts.items()}
    return {zone: weight for zone, weight in rounded.items() if weight} or dict.fromkeys(parts, 1)


def _kept(zone: str, wanted: float, capacity: float) -> float:
    """What a zone carries of its own demand."""
    if zone == ELSEWHERE:
        return 0.0
    return wanted if wanted <= capacity + _ROUNDING else capacity


def _row(zone: str, at_home: float, away: Mapping[str, float]) -> dict[str, float]:
    row = {other: (1 - at_home) * share for other, share in away.items()}
    row[zone] = row.get(zone, 0.0) + at_home
    return {other: share for other, share in row.items() if share}


def _check(what: str, numbers: Mapping[str, float]) -> None:
    for zone, number in numbers.items():
        if not (math.isfinite(number) and number >= 0):
            raise ValueError(f"{what} of zone {zone!r}: {number} is not a finite number of at least 0")


def _normalised(numbers: Mapping[str, float]) -> dict[str, float]:
    """The parts of a whole, without zeros; empty if all are 0.

    `fsum` makes the order of the zones irrelevant; powers of 2 keep the sum finite without rounding anything.
    """
    _, exponent = math.frexp(max(numbers.values(), default=0))
    scaled = {zone: math.ldexp(number, -exponent) for zone, number in numbers.items() if number}
    whole = math.fsum(scaled.values())
    return {zone: number / whole for zone, number in scaled.items() if number / whole}
