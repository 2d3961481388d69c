"""The library and version of a client, from its Node or from text, and the capabilities that follow from them."""

import re
from typing import NamedTuple

from envoy.config.core.v3 import base_pb2

from steerway.errors import TranslateError
from steerway.translate.client import library as libraries
from steerway.translate.client import metadata
from steerway.translate.client.capability import (
    DEFAULT_PROGRAM_SIZE,
    LARGE_PROGRAM_SIZE,
    Feature,
    Restriction,
)
from steerway.translate.client.core_version import release_of
from steerway.translate.client.library import Library, Version

_VERSION = re.compile(r"(?:^|\s)(\d{1,4})\.(\d{1,4})")


class Client(NamedTuple):
    """A library and its version, None for an unknown one. `program_size`: of an Envoy, see `metadata.PROGRAM_SIZE`."""

    library: Library = Library.UNKNOWN
    version: Version | None = None
    program_size: int = DEFAULT_PROGRAM_SIZE

    def can(self, feature: Feature) -> bool:
        """Whether the client has a feature. An unknown version counts as the current one; an unknown library has the
        features of all current ones."""
        if self.library is Library.ENVOY:
            return feature.value.envoy
        since = feature.value.since
        if self.library is Library.UNKNOWN:
            return len(since) == len(libraries.GRPC)
        needed = since.get(self.library)
        return needed is not None and (self.version is None or self.version >= needed)

    def has(self, restriction: Restriction) -> bool:
        """Whether a restriction applies to the client: to an unknown version of its library too, and never to an
        unknown library."""
        row = restriction.value
        return self.library in row.libraries and (row.before is None or (self.version or (0, 0)) < row.before)

    @property
    def is_grpc(self) -> bool:
        return self.library is not Library.ENVOY

    @property
    def level(self) -> str:
        """The newest of a few generations that the client belongs to: "" for current ones, `a42` for those with
        ring_hash and without lists of policies, `a27` for older ones."""
        if self.library is Library.UNKNOWN or self.can(Feature.POLICY_LIST):
            return ""
        return "a42" if self.can(Feature.RING_HASH) else "a27"

    def __str__(self) -> str:
        title = str(self.library)
        return title if self.version is None else f"{title} {self.version[0]}.{self.version[1]}"


CURRENT = tuple(Client(library) for library in Library if library is not Library.UNKNOWN)
"""The current release of each library, and Envoy."""


def of_node(node: base_pb2.Node) -> Client:
    """The library and version that a Node names."""
    library = libraries.of_agent(node.user_agent_name)
    # "C-core 58.0.0 Python 1.85.1": the last number is that of the release, if there are two.
    versions = _VERSION.findall(node.user_agent_version)[-1:] or []
    version = (int(versions[0][0]), int(versions[0][1])) if versions else None
    if library is Library.CORE and version is not None:
        version = release_of(version)
    if version is None and node.HasField("user_agent_build_version"):
        build = node.user_agent_build_version.version
        version = (build.major_number, build.minor_number)
    return Client(library, version, _program_size(node) if library is Library.ENVOY else DEFAULT_PROGRAM_SIZE)


def _program_size(node: base_pb2.Node) -> int:
    """One of the two sizes, the larger one where a Node has at least as much, in a number or in text."""
    if metadata.PROGRAM_SIZE not in node.metadata.fields:
        return DEFAULT_PROGRAM_SIZE
    value = node.metadata.fields[metadata.PROGRAM_SIZE]
    text = value.string_value
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else value.number_value
    return LARGE_PROGRAM_SIZE if number >= LARGE_PROGRAM_SIZE else DEFAULT_PROGRAM_SIZE


def parse(text: str) -> Client:
    """`grpc-go/1.70`, `grpcio`, `envoy/1.40`. TranslateError lists the known names."""
    name, slash, number = text.lower().partition("/")
    library = libraries.BY_NAME.get(name)
    version = _VERSION.match(number)
    if library is None or (slash and version is None):
        known = ", ".join(sorted(libraries.BY_NAME))
        raise TranslateError(f"{text!r} is no client: write NAME or NAME/MAJOR.MINOR, with one of {known}")
    return Client(library, (int(version[1]), int(version[2])) if version else None)
