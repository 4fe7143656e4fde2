"""Celery in: the app, tasks, canvas, signals and the daemon."""
