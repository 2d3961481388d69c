"""The settings of a Deployment, and the objects that its files come from."""

import copy

import pytest

from steerway.kubecheck.installation import load, parse_arguments
from steerway.kubecheck.reader import Reader
from tests.unit.kubecheck.api import DEPLOYMENT, Api, context


def test_arguments_of_serve() -> None:
    """As the command line reads them."""
    arguments = [
        "serve",
        "--config",
        "/a.yaml",
        "--no-policies",
        "--events",
        "--namespace=a",
        "--namespace",
        "b",
    ]
    assert parse_arguments(arguments) == (
        "/a.yaml",
        {
            "kubernetes.policies": False,
            "kubernetes.events": True,
            "kubernetes.namespaces": ("a", "b"),
        },
    )


async def test_flags_and_variables_override_the_file() -> None:
    _, api = await context()
    deployment = copy.deepcopy(DEPLOYMENT)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["args"] += ["--namespace=shop"]
    container["env"] = [
        {"name": "STEERWAY_KUBERNETES_EVENTS", "value": "false"},
        {"name": "STEERWAY_IDENTIFIER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    installation = await load(Reader(api), deployment)  # type: ignore[arg-type]
    assert installation.settings.kubernetes.namespaces == ("shop",)
    assert installation.settings.kubernetes.events is False


async def test_a_file_of_a_secret() -> None:
    made, _ = await context()
    assert made.installed.secret_key("/etc/steerway/tls/tls.crt") == ("certificate", "tls.crt")
    assert made.installed.secret_key("/etc/steerway/config/steerway.yaml") is None
    assert made.installed.secret_key("/etc/ssl/tls.crt") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "ConfigMap mesh/steerway does not exist, or has no key steerway.yaml"),
        ("no_such: 1", "ConfigMap mesh/steerway"),
        ("[", "ConfigMap mesh/steerway"),
    ],
)
async def test_settings_that_cannot_be_read(text: str | None, reason: str) -> None:
    data = {} if text is None else {"steerway.yaml": text}
    api = Api({"/api/v1/namespaces/mesh/configmaps/steerway": {"data": data}})
    installation = await load(Reader(api), copy.deepcopy(DEPLOYMENT))  # type: ignore[arg-type]
    assert reason in installation.settings_error
    assert "/tmp" not in installation.settings_error
