"""The gate to one account in one process, and its part of the shared budget."""
