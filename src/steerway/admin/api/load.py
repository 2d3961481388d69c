"""Load reports of clients as JSON values, by cluster."""

from collections import defaultdict
from typing import Any

from steerway.admin.view import LoadsView


def describe(loads: LoadsView) -> dict[str, Any]:
    """Every cluster with a load, by name. `endpoints` is the name of its assignment, "" when clients do not report
    it."""
    totals: defaultdict[tuple[str, str], dict[str, Any]] = defaultdict(
        lambda: {"localities": [], "dropped": {}}
    )
    for load in loads.localities:
        totals[load.cluster, load.service]["localities"].append(
            {
                "region": load.region,
                "zone": load.zone,
                "sub_zone": load.sub_zone,
                "issued": load.issued,
                "successful": load.successful,
                "errors": load.errors,
                "in_progress": load.in_progress,
            }
        )
    for drop in loads.dropped:
        totals[drop.cluster, drop.service]["dropped"][drop.category] = drop.count
    return {
        "reporters": loads.reporters,
        "reports": loads.reports,
        "ignored_rows": loads.ignored,
        "clusters": [
            {"cluster": cluster, "endpoints": service, **totals[cluster, service]}
            for cluster, service in sorted(totals)
        ],
    }
