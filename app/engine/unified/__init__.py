"""Unified models and the mappings that carry their methods out."""
