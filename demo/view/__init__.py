"""The output of a run: the live view, plain lines, the report and the picture."""
