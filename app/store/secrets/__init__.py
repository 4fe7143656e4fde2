"""Secrets at rest: keys, sealed values, and where they stand."""
