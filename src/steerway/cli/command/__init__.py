"""The commands, one file each: the function of the same name."""
