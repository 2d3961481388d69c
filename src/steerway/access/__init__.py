"""Authentication and authorization of xDS clients."""
