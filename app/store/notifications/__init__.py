"""Notification destinations, rules, incidents, and messages that wait to be sent."""
