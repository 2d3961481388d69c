"""Log setup and the limit of log lines."""
