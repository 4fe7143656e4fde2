"""Integrated accounts: made, renewed, put to rest and deleted."""
