"""A sync job: its items, their tree, its arguments, and the requests that its items make."""
