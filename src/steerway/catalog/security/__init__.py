"""TLS and authorization of xDS servers: which policies apply, and what they mean together."""
