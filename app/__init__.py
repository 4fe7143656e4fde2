"""Ferryman's application: everything except the Celery worker's side."""
