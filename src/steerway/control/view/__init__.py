"""What operators see: the stages behind the admin server."""
