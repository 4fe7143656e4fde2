"""How an upstream hands out its pages: what to ask for the next one, and what ends the list (docs/completeness.md)."""
