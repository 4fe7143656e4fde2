"""Webhooks, their deliveries and their health."""
