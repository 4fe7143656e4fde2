"""A run: its units of work, its counters, and what it comes to."""
