"""What tests with real parts share: processes that always end, waiting with a deadline, and the parts themselves."""
