"""The servers under measurement: how to start each of them, and the one in Python on the bare engine."""
