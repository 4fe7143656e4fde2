"""Read bodies, queries and headers of requests."""
