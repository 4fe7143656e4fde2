"""Notification destinations, their rules, and the duties that watch and notify."""
