"""Cassettes: exchanges kept in a HAR file, and played back without a network."""
