"""`steerway top`: a live view of all replicas in the terminal."""

import asyncio

import click

from steerway.cli.replica import Where, replica_options
from steerway.errors import SourceError


@click.command()
@replica_options()
def top(where: Where) -> int:
    """Show replicas, Services, clients, changes and problems, live.

    Keys: 1 to 5 and Tab choose the list, / filters, s sorts, Enter describes a row, Escape goes back, ? shows all keys,
    q quits. Rows come from the event streams of all replicas; replicas that do not answer are shown with the reason.

    Needs Textual: pip install 'steerway[top]'.
    """
    try:
        import textual  # noqa: F401
    except ImportError:
        raise SourceError("steerway top needs Textual: pip install 'steerway[top]'") from None
    asyncio.run(_run(where))
    return 0


async def _run(where: Where) -> None:
    from steerway.cli.replica.connection import connect
    from steerway.cli.top.app import TopApp
    from steerway.cli.top.feed import Feed
    from steerway.cli.top.model import Model

    async with connect(where):
        pass  # what is wrong with the options is printed before the screen is taken
    model = Model()
    app = TopApp(Feed(lambda: connect(where), model, search=not where.addresses), model)
    await app.run_async()
