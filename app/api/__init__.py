"""The HTTP API: one Flask blueprint per resource."""
