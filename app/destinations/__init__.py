"""Destinations of events: webhooks."""
