"""What viewers of the admin server cost."""
