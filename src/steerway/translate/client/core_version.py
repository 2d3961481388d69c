"""Releases of gRPC by the version of C-core.

A C++ client names only the version of C-core in its Node ("C-core 29.0.0" is gRPC 1.51); wrapped languages add the
release ("C-core 58.0.0 Python 1.85.1"). The numbers were read from the binaries of the PyPI package grpcio.
"""

from bisect import bisect_right

from steerway.translate.client.library import Version

_FIRST_OF_CORE = 2
"""C-core numbers that begin with 1 are numbers of releases."""
# Where several releases have one number (15: 1.36 and 1.37; 18: 1.39 and 1.40) the oldest counts.
_RELEASES: tuple[tuple[Version, int], ...] = (
    ((10, 0), 30),
    ((11, 0), 31),
    ((15, 0), 36),
    ((18, 0), 39),
    ((24, 0), 46),
    ((25, 0), 47),
    ((28, 0), 50),
    ((29, 0), 51),
    ((30, 0), 52),
    ((30, 1), 53),
    ((31, 0), 54),
    ((32, 0), 55),
    ((33, 0), 56),
    ((34, 0), 57),
    ((35, 0), 58),
    ((36, 0), 59),
    ((37, 0), 60),
    ((38, 0), 61),
    ((39, 0), 62),
    ((40, 0), 63),
    ((41, 0), 64),
    ((42, 0), 65),
    ((43, 0), 66),
    ((44, 0), 67),
    ((44, 1), 68),
    ((44, 2), 69),
    ((45, 0), 70),
    ((46, 0), 71),
    ((47, 0), 72),
    ((48, 0), 73),
    ((49, 0), 74),
    ((50, 0), 75),
    ((51, 0), 76),
    ((52, 0), 78),
    ((53, 0), 80),
    ((58, 0), 85),
)


def release_of(version: Version) -> Version:
    """The release with this version of C-core, or the last known one before it; of older ones, gRPC 1.0. The number of
    a release is returned as it is."""
    if version[0] < _FIRST_OF_CORE:
        return version
    index = bisect_right(_RELEASES, version, key=lambda release: release[0])
    return (1, _RELEASES[index - 1][1] if index else 0)
