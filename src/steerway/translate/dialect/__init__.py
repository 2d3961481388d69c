"""The dialects: which builder makes the resource of a name, for clients of one kind."""
