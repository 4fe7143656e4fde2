"""Runs in Postgres: created, moved, settled, counted and removed."""
