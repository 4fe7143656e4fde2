"""Datastores and destinations: what they may be configured as, and what is written there."""
