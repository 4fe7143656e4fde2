"""Notification destinations, and the rules of what they are notified of."""
