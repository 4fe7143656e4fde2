"""Unified models, their methods and mappings, and the pages that they map."""
