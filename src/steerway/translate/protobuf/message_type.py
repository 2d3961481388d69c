"""Message classes by type URL.

The generated modules are many (importing all takes seconds), so a module is imported when a resource first names a type
of its package: `envoy.extensions.filters.http.router.v3.Router` stands in a `*_pb2` module of the folder
`envoy/extensions/filters/http/router/v3`.
"""

import functools
import importlib
import pkgutil

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from steerway.errors import TranslateError

_ROOTS = frozenset({"envoy", "xds", "udpa", "google", "opencensus", "validate"})
"""Packages that a type may come from: a file must not make steerway import anything else."""


@functools.cache
def load(type_url: str) -> type[Message]:
    """The class for a type URL; TranslateError when no installed module has it."""
    name = type_url.rpartition("/")[2]
    parts = [part for part in name.split(".") if part and not part[0].isupper()]
    # What is no identifier names no module, and an import of it may raise anything.
    if parts and parts[0] in _ROOTS and all(map(str.isidentifier, parts)):
        _import_package(".".join(parts))
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
    except (KeyError, TypeError):  # TypeError: not even text that can be encoded
        raise TranslateError(f"no message type {name!r} is known") from None
    return message_factory.GetMessageClass(descriptor)


def _import_package(package: str) -> None:
    try:
        path = importlib.import_module(package).__path__
    except (ImportError, AttributeError):
        return
    for module in pkgutil.iter_modules(path):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{package}.{module.name}")
