"""Decisions: pure functions and frozen values, no I/O and no framework."""
