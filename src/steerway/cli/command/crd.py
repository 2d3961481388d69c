"""`steerway crd`: the definition that a cluster needs before it accepts our kinds."""

import click

from steerway.cli import terminal


@click.command()
def crd() -> None:
    """Print the CustomResourceDefinitions of our kinds, as YAML for `kubectl apply -f -`.

    They describe every field, and have the rules by which an API server validates policies.
    """
    from steerway.sources.policy import crd as definition

    terminal.write(definition.text().rstrip("\n"))
