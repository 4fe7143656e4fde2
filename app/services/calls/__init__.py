"""Direct calls to an account's API."""
