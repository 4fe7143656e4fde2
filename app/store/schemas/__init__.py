"""Schemas of resources, and the views that show them."""
