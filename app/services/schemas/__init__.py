"""Schemas of resources: learned, declared, shown and changed."""
