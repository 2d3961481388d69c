"""`steerway signer`: issue the certificates of workloads."""

import os
from pathlib import Path
from typing import Any

import click

from steerway import config
from steerway.cli import terminal
from steerway.cli.setting_option import SettingsCommand, by_name, setting_options, settings_file


@click.command(
    cls=SettingsCommand,
    params=setting_options("signer", ("kubernetes.kubeconfig", "kubernetes.context")),
    context_settings={"max_content_width": 120},
)
@settings_file
def signer(file: Path | None, **flags: Any) -> int:
    """Issue certificates with SPIFFE IDs for pods that have a podCertificate volume.

    Needs Kubernetes 1.37 or later. The CA is made and rotated, or that of --signer-ca-secret is used. The roots are
    published as a ClusterTrustBundle. The settings file and environment variables are those of `steerway serve`.

    SIGTERM ends it; replicas take over within seconds.
    """
    from steerway.runtime import signals

    signals.ignore()
    settings = config.load(file, os.environ, by_name(flags) | {"kubernetes.enabled": True})
    from steerway.control import signer as program
    from steerway.log import setup

    setup.configure(settings.log_format, settings.log_level)
    return program.run(settings, terminal.write)
