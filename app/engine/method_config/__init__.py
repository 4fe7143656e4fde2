"""Parts of a method's config: its addresses, what it sends as a body, and where its records are."""
