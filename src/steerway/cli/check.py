"""`steerway check`: would these manifests be served?"""

import click


@click.command(short_help="Validate manifests offline.")
def check() -> None:
    """Validate manifests offline."""
