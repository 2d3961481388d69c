"""`steerway crd`: what a cluster must know before it takes TrafficPolicies."""

import click

from steerway.cli import terminal


@click.command(short_help="Print the CustomResourceDefinition of TrafficPolicy.")
def crd() -> None:
    """Print the CustomResourceDefinition of TrafficPolicy, as YAML for `kubectl apply -f -`.

    It says what every field means, and what an API server refuses.
    """
    from steerway.sources.policy import crd as definition

    terminal.write(definition.text().rstrip("\n"))
