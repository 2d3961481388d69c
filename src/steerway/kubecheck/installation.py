"""An installation: the Deployment of steerway, its pods, and the settings that they start with."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steerway import config
from steerway.config import SETTINGS, Settings
from steerway.errors import SettingsError
from steerway.kubecheck.reader import Manifest, Reader

SELECTOR = "app.kubernetes.io/name=steerway"
"""The label of every object of the chart."""
DEPLOYMENTS = "/apis/apps/v1{}/deployments"
_PREFIX = "STEERWAY_"


@dataclass(frozen=True, slots=True)
class Installation:
    """`settings_error`: why the settings cannot be read; `settings` are the defaults then."""

    deployment: Manifest
    pods: Sequence[Manifest]
    settings: Settings
    settings_error: str = ""

    @property
    def namespace(self) -> str:
        return str(self.deployment["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    @property
    def pod_spec(self) -> Manifest:
        spec: Manifest = self.deployment["spec"]["template"]["spec"]
        return spec

    @property
    def pod_labels(self) -> Mapping[str, str]:
        return self.deployment["spec"]["template"]["metadata"].get("labels") or {}

    @property
    def container(self) -> Manifest:
        """That of steerway: the one with its arguments, or the first."""
        containers: list[Manifest] = self.pod_spec["containers"]
        return next((item for item in containers if "serve" in (item.get("args") or ())), containers[0])

    @property
    def service_account(self) -> str:
        return str(self.pod_spec.get("serviceAccountName") or "default")

    @property
    def ports(self) -> Mapping[str, int]:
        """Container ports by name."""
        ports = self.container.get("ports") or []
        return {str(port.get("name") or port["containerPort"]): int(port["containerPort"]) for port in ports}

    def secret_key(self, path: str) -> tuple[str, str] | None:
        """Name and key of the Secret that is mounted as this file; None if the file is no part of one."""
        return mounted(self.pod_spec, self.container, path, "secret", "secretName")


async def find(reader: Reader, namespace: str) -> list[Manifest]:
    """The Deployments of steerway in a namespace, or ("") in all. Raises UnreadableError."""
    where = f"/namespaces/{namespace}" if namespace else ""
    return await reader.list(DEPLOYMENTS.format(where), SELECTOR)


async def load(reader: Reader, deployment: Manifest) -> Installation:
    """Read the pods and the settings of a Deployment. Raises UnreadableError."""
    namespace = deployment["metadata"]["namespace"]
    labels = deployment["spec"]["selector"].get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = await reader.list(f"/api/v1/namespaces/{namespace}/pods", selector)
    bare = Installation(deployment, pods, Settings())
    try:
        settings = await _settings(reader, bare)
    except SettingsError as error:
        return Installation(deployment, pods, Settings(), str(error))
    return Installation(deployment, pods, settings)


def mounted(
    pod_spec: Manifest, container: Manifest, path: str, kind: str, name_field: str
) -> tuple[str, str] | None:
    """Name and key of the object of a volume of `kind` (`secret`, `configMap`) that has a file of a container."""
    volumes = {volume["name"]: volume for volume in pod_spec.get("volumes") or []}
    for mount in container.get("volumeMounts") or []:
        source = volumes.get(mount["name"], {}).get(kind)
        relative = Path(path).relative_to(mount["mountPath"]) if _within(path, mount["mountPath"]) else None
        if source and relative is not None:
            items = {item["path"]: item["key"] for item in source.get("items") or []}
            return str(source.get(name_field) or ""), items.get(str(relative), str(relative))
    return None


def _within(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


async def _settings(reader: Reader, installation: Installation) -> Settings:
    """As the pods read them: the file of `--config`, then variables, then flags. Raises SettingsError."""
    container = installation.container
    file, flags = parse_arguments(container.get("args") or [])
    variables = {
        item["name"]: str(item.get("value") or "")
        for item in container.get("env") or []
        if item["name"].startswith(_PREFIX) and "valueFrom" not in item
    }
    text, where = "{}", "the settings"
    if file:
        source = mounted(installation.pod_spec, container, file, "configMap", "name")
        if source is None:
            raise SettingsError(f"{file} is no file of a ConfigMap")
        name, key = source
        where = f"ConfigMap {installation.namespace}/{name}"
        manifest = await reader.get(f"/api/v1/namespaces/{installation.namespace}/configmaps/{name}")
        if manifest is None or key not in (manifest.get("data") or {}):
            raise SettingsError(f"{where} does not exist, or has no key {key}")
        text = str(manifest["data"][key])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return config.load(path, variables, flags)
        except SettingsError as error:
            raise SettingsError(str(error).replace(str(path), where)) from None


def parse_arguments(arguments: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The file of `--config`, and the values of settings by name, of the arguments of `steerway serve`."""
    by_flag = {setting.flag: setting for setting in SETTINGS.values()}
    flags: dict[str, Any] = {}
    file = ""
    rest = list(arguments)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        negated = f"--{flag.removeprefix('--no-')}"
        setting = by_flag.get(flag)
        if setting is not None and setting.base is bool:
            flags[setting.name] = True
        elif flag.startswith("--no-") and negated in by_flag:
            flags[by_flag[negated].name] = False
        elif setting is not None or flag == "--config":
            value = value if equals else (rest.pop(0) if rest else "")
            if setting is None:
                file = value
            elif setting.repeatable:
                flags[setting.name] = (*flags.get(setting.name, ()), value)
            else:
                flags[setting.name] = value
    return file, flags
