"""Datastores and destinations in Postgres, and how far each has read each account's log."""
