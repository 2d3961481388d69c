"""xDS resources and values that every client reads alike."""
