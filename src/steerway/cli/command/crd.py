"""`steerway crd`: the definition that a cluster needs before it accepts TrafficPolicies."""

import click

from steerway.cli import terminal


@click.command()
def crd() -> None:
    """Print the CustomResourceDefinition of TrafficPolicy, as YAML for `kubectl apply -f -`.

    It describes every field, and has the rules by which an API server validates policies.
    """
    from steerway.sources.policy import crd as definition

    terminal.write(definition.text().rstrip("\n"))
