"""Webhook events: their payloads, how they are merged and cut, and their signatures."""
