"""The target that a subscribed name means, in the dialects of gRPC clients and of Envoy."""

import functools

from steerway.errors import TranslateError
from steerway.translate import destination, resource_name
from steerway.translate.dialect.envoy import ROUTES
from steerway.translate.resource_name import Target
from steerway.translate.xds import type_url

_CACHED_NAMES = 1 << 17
"""Several of each service, in each of the types."""


@functools.lru_cache(maxsize=_CACHED_NAMES)
def find_target(served: str, name: str, namespace: str, domain: str) -> Target | None:
    """None: the name is that of no service, as a wildcard, the routes of an Envoy and a name of a file are.

    `namespace`: of the client, for short names.
    """
    if name in ROUTES or served not in type_url.SERVED:
        return None
    try:
        if served == type_url.LISTENER:
            return resource_name.parse_target(name, namespace, domain)
        canonical = resource_name.without_object(destination.plaintext(name))
        return resource_name.parse_canonical(canonical, domain)
    except TranslateError:
        return None
