"""The life of a run: requested, created, started, settled, stopped, resumed."""
