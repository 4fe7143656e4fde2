"""HTTP in: one Flask blueprint per resource."""
