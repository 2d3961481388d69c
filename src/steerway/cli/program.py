"""The names by which the program is called: `steerway`, and `kubectl steerway` as a plugin."""

from pathlib import Path

NAME = "steerway"
PLUGIN = "kubectl-steerway"
"""The name of an executable file that kubectl finds as the plugin `kubectl steerway`."""
COMPLETE_VARIABLE = "_STEERWAY_COMPLETE"


def shown_name(path: str) -> str:
    """What a user typed to start the program with this path (`sys.argv[0]`), as usage texts have it."""
    return "kubectl steerway" if Path(path).stem == PLUGIN else NAME
