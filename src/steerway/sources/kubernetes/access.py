"""Where the API server is, and the credentials for it: a kubeconfig or the service account of a pod.

Token files are read again every minute; exec plugins run again when their credential expires. A new certificate needs a
new connection: `client.py` loads anew when it is refused.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from steerway.errors import SourceError
from steerway.sources.kubernetes.credential import configuration, kubeconfig
from steerway.sources.kubernetes.credential.configuration import Configuration
from steerway.sources.kubernetes.credential.exec_plugin import PluginError
from steerway.sources.kubernetes.event import Failure
from steerway.sources.kubernetes.namespace import SERVICE_ACCOUNT, kubeconfig_paths

LOAD_SECONDS = 60.0
"""Longest time to read the configuration, an exec plugin included."""


class RequestError(SourceError):
    """A request that could not be made or was refused; to be tried again."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Access:
    """Where configuration comes from. Without `kubeconfigs`: from the pod's `service_account`."""

    kubeconfigs: tuple[Path, ...] = ()
    context: str | None = None
    service_account: Path = SERVICE_ACCOUNT
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @classmethod
    def find(
        cls,
        file: Path | None,
        context: str | None,
        environ: Mapping[str, str] = os.environ,
        service_account: Path = SERVICE_ACCOUNT,
    ) -> "Access":
        """A given kubeconfig or context decides; else the pod's service account; else the usual kubeconfig.

        Raises SourceError when there is none of them.
        """
        mounted = bool(environ.get("KUBERNETES_SERVICE_HOST")) and (service_account / "token").is_file()
        if file is None and context is None and mounted:
            return cls(service_account=service_account, environ=environ)
        paths = kubeconfig_paths(environ, file)
        present = tuple(path for path in paths if path.is_file())
        if not present:
            looked = ", ".join(str(path) for path in paths) or "~/.kube/config"
            hint = "give --kubeconfig FILE, or run in a pod with a service account"
            if environ.get("KUBERNETES_SERVICE_HOST") and not mounted:
                hint = f"no token is in {service_account}: set automountServiceAccountToken, or give --kubeconfig FILE"
            raise SourceError(f"{looked}: no kubeconfig there ({hint})")
        return cls(present, context, environ=environ)

    def __str__(self) -> str:
        where = ":".join(str(path) for path in self.kubeconfigs) or f"service account {self.service_account}"
        return f"{where}, context {self.context}" if self.context else where


async def load(access: Access) -> Configuration:
    """Read the configuration.

    Raises SourceError when what is configured cannot be read, and RequestError when it can, but a file or a plugin
    that it names cannot be used now.
    """
    try:
        # Not wait_for: before Python 3.12 it swallows a cancellation that meets the result.
        async with asyncio.timeout(LOAD_SECONDS):
            if not access.kubeconfigs:
                return await asyncio.to_thread(
                    configuration.of_service_account, access.service_account, access.environ
                )
            merged = await asyncio.to_thread(kubeconfig.read, access.kubeconfigs)
            cluster, user = merged.choose(access.context)
            return await configuration.of_entries(cluster, user)
    except TimeoutError:
        raise RequestError(Failure(None, "credentials timed out", f"after {LOAD_SECONDS:.0f} s")) from None
    except OSError as error:
        raise RequestError(Failure(None, "credentials unreadable", str(error))) from error
    except PluginError as error:
        raise RequestError(Failure(None, "credentials refused", str(error))) from error
    except SourceError as error:
        kind = "kubeconfig" if access.kubeconfigs else "service account"
        raise SourceError(f"{access}: not a usable {kind}: {error}") from error
