"""Persisted records and logs, page by page."""
