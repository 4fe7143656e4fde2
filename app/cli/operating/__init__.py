"""Commands of whoever operates the system, which need no API."""
