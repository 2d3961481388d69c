"""Settings of TLS, authentication, authorization and identities."""
