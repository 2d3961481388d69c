"""Bearer tokens: service-account tokens, static tokens, and caches of authentication results."""
