"""What the calls cost that operators read the engine with: `python -m bench.inspection`."""
