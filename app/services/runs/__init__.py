"""The life of a run: asked for, created, begun, settled, stopped, resumed."""
