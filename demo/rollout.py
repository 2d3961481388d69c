"""The rolling restart of a Deployment with maxSurge 1 and maxUnavailable 0.

One new pod is started; when it is ready, one old pod begins to terminate and, as terminating pods do not
count, the next new one is started at once. Old pods therefore drain while the next new pod starts. New pods
have new addresses.
"""

import asyncio
from collections.abc import Sequence

from demo.child import Children
from demo.cluster import Cluster
from demo.plan import Plan
from demo.pod import Pod


async def roll_out(
    old: Sequence[Pod], new: Sequence[Pod], children: Children, cluster: Cluster, plan: Plan
) -> None:
    """Replace every pod of `old` by one of `new` and return when the last old one is gone."""
    async with asyncio.TaskGroup() as terminations:
        for leaving, coming in zip(old, new, strict=True):
            await coming.start(children, cluster, plan, plan.pod_start_seconds)
            terminations.create_task(leaving.terminate(cluster, plan))
