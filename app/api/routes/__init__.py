"""One blueprint per resource: a view loads, calls one service, and dumps."""
