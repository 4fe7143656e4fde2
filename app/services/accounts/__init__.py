"""Integrated accounts: creation, credentials, limits and deletion."""
