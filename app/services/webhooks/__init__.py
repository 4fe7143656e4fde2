"""Webhooks, their deliveries, and how they fare."""
