"""Server-Sent Events of the admin server: rows that changed, computed and encoded once for all viewers."""
