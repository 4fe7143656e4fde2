"""Placeholders in JSON values, addresses and paths: parsed once, resolved many times."""
