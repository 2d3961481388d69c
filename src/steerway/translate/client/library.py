"""The client libraries, and their names in requests, in the command line and for people."""

import enum

Version = tuple[int, int]
"""Major and minor; of grpc-js, of its package `@grpc/grpc-js-xds`."""


class Library(enum.Enum):
    """Values are parts of audiences."""

    CORE = "core"
    GO = "go"
    JAVA = "java"
    NODE = "node"
    UNKNOWN = "unknown"
    ENVOY = "envoy"

    def __str__(self) -> str:
        return _TITLES[self]


GRPC = (Library.CORE, Library.GO, Library.JAVA, Library.NODE)
_TITLES = {
    Library.CORE: "C-core (C++, Python, Ruby)",
    Library.GO: "grpc-go",
    Library.JAVA: "grpc-java",
    Library.NODE: "grpc-js",
    Library.ENVOY: "Envoy",
    Library.UNKNOWN: "an unknown gRPC client",
}
BY_NAME = {
    "grpc-go": Library.GO,
    "grpc-java": Library.JAVA,
    "grpc-js": Library.NODE,
    "grpc-node": Library.NODE,
    "grpcio": Library.CORE,
    "grpc-python": Library.CORE,
    "grpc-c++": Library.CORE,
    "c-core": Library.CORE,
    "envoy": Library.ENVOY,
}
_AGENTS = {
    "envoy": Library.ENVOY,
    "grpc c-core": Library.CORE,  # "gRPC C-core linux" and, in wrapped languages, "gRPC C-core linux Python"
    "grpc go": Library.GO,
    "grpc java": Library.JAVA,
    "grpc node": Library.NODE,
}


def of_agent(user_agent_name: str) -> Library:
    """The library with this `Node.user_agent_name`."""
    name = user_agent_name.lower()
    return next((library for agent, library in _AGENTS.items() if name.startswith(agent)), Library.UNKNOWN)
