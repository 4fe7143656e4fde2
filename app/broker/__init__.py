"""Celery out: task names, daemon group to queue, dispatch."""
