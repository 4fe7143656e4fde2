"""Cassettes: exchanges in a HAR file, recorded and replayed."""
