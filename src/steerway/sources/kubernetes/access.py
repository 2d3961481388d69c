"""Where the API server is and how to be let in: what `kubernetes_asyncio` makes of a kubeconfig or a service
account.

Credentials stay fresh without a restart: token files and OIDC tokens are read again every minute, and exec
plugins run again when their credential expires. A new certificate needs a new connection: `client.py` loads
anew when it is turned away.

The library takes about two seconds to import, so it is imported when it is needed, in a thread.
"""

import asyncio
import importlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steerway.errors import SourceError
from steerway.sources.kubernetes import kubeconfig
from steerway.sources.kubernetes.event import Failure
from steerway.sources.kubernetes.namespace import SERVICE_ACCOUNT, kubeconfig_paths

REFRESH_SECONDS = 60.0
"""Age at which a token file is read again. kubelet renews a token at 80 % of its life; the old one lives on
for minutes at least."""
LOAD_SECONDS = 60.0
"""Longest time to read the configuration, an exec plugin or an OIDC server included."""


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


async def load(access: Access) -> Any:
    """The library's `Configuration`, which keeps its token fresh by itself.

    Raises SourceError when what is configured cannot be read, and RequestError when it can, but a plugin or a
    server that it names does not answer.
    """
    module = "kube_config" if access.kubeconfigs else "incluster_config"
    library = await asyncio.to_thread(importlib.import_module, f"kubernetes_asyncio.config.{module}")
    configuration = library.Configuration()
    try:
        if access.kubeconfigs:
            # Not wait_for: before Python 3.12 it swallows a cancellation that meets the result.
            async with asyncio.timeout(LOAD_SECONDS):
                loader = await _load_kubeconfig(library, access, configuration)
            configuration.refresh_api_key_hook = _Refresh(access, loader)
        else:
            _load_service_account(library, access, configuration)
    except TimeoutError:
        raise RequestError(Failure(None, "credentials timed out", f"after {LOAD_SECONDS:.0f} s")) from None
    except OSError as error:
        raise RequestError(Failure(None, "credentials unreadable", str(error))) from error
    except Exception as error:  # the library raises nearly anything for a malformed file
        text = _reason(error)
        if text.startswith(("exec:", "oidc:")):
            raise RequestError(Failure(None, "credentials refused", text)) from error
        lacking = await asyncio.to_thread(kubeconfig.missing, access.kubeconfigs, access.context)
        invalid = lacking or f"{text} (check it with: kubectl config view)"
        raise SourceError(f"{access}: not a usable kubeconfig: {invalid}") from error
    return configuration


def _reason(error: Exception) -> str:
    if isinstance(error, AttributeError | TypeError | KeyError | IndexError):
        # The exception of the library does not name the cause in the file.
        return "its clusters, users and contexts are not built as a kubeconfig's"
    return " ".join(str(error).split()) or type(error).__name__


async def _load_kubeconfig(library: Any, access: Access, configuration: Any) -> Any:
    return await library.load_kube_config(
        config_file=os.pathsep.join(str(path) for path in access.kubeconfigs),
        context=access.context,
        client_configuration=configuration,
        persist_config=False,  # the file is the operator's
    )


def _load_service_account(library: Any, access: Access, configuration: Any) -> None:
    account = access.service_account
    library.InClusterConfigLoader(
        str(account / "token"), str(account / "ca.crt"), environ=access.environ
    ).load_and_set(configuration)


class _Refresh:
    """The library's hook before each request: puts a fresh token into the configuration."""

    def __init__(self, access: Access, loader: Any) -> None:
        self._access = access
        self._loader = loader
        self._read_at = time.monotonic()
        self._lock = asyncio.Lock()

    async def __call__(self, configuration: Any) -> None:
        async with self._lock:
            if "exec" in (self._loader._user or ()):
                await self._run_plugin(configuration)
            elif time.monotonic() - self._read_at >= REFRESH_SECONDS:
                self._read_at = time.monotonic()
                configuration.api_key.update((await load(self._access)).api_key)

    async def _run_plugin(self, configuration: Any) -> None:
        # A credential without expiry lasts until the server refuses it (client-go: exec plugin, caching).
        if not hasattr(self._loader, "exec_plugin_expiry"):
            return
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                await self._loader.load_from_exec_plugin()
        except Exception as error:  # as in load()
            raise RequestError(Failure(None, "credentials refused", str(error))) from error
        configuration.api_key["BearerToken"] = self._loader.token
