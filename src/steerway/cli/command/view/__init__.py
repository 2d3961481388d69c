"""The commands that show what a running control plane has, one file each."""
