"""Who may connect, as whom, and what they may see: authentication and authorisation of xDS clients."""
