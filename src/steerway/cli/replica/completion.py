"""Names of a running control plane for the completion of a shell. What fails completes nothing."""

import asyncio
from typing import Any

import click

from steerway.cli.replica.options import where_of
from steerway.errors import SteerwayError

_SECONDS = 2.0
_MOST_NAMES = 200


def services(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """`shop/backend`."""
    return [name for name in _names(context, "/api/v1/services") if name.startswith(incomplete)]


def targets(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """`backend.shop`."""
    names = (name.partition("/") for name in _names(context, "/api/v1/services"))
    return [shown for namespace, _, name in names if (shown := f"{name}.{namespace}").startswith(incomplete)]


def described(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """A kind, then its names."""
    kind, *others = context.params.get("what") or ("",)
    if kind == "service" and not others:
        return services(context, parameter, incomplete)
    if kind == "client" and not others:
        return [name for name in _names(context, "/api/v1/clients") if name.startswith(incomplete)]
    return [] if kind else [name for name in ("service", "client") if name.startswith(incomplete)]


def _names(context: click.Context, path: str) -> list[str]:
    from steerway.cli.replica.connection import connect

    async def query() -> list[str]:
        async with (
            asyncio.timeout(_SECONDS),
            connect(where_of(dict(context.params), context.find_root())) as replicas,
        ):
            answers: Any = await replicas.get(path, limit=_MOST_NAMES, fields="id")
        rows = (row for answer in answers.values() if isinstance(answer, dict) for row in answer["items"])
        return sorted({row["id"] for row in rows})

    try:
        return asyncio.run(query())
    except (SteerwayError, click.UsageError, OSError, TimeoutError, KeyError):
        return []
