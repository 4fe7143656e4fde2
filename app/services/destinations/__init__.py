"""Destinations: readers of the account log, each with a cursor of its own per account."""
