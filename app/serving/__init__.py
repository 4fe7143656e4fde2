"""Serving the API to clients of any speed."""
