"""An installation in a cluster as the command line reports it: checks and their results."""
