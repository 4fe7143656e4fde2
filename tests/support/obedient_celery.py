"""Ferryman's Celery application whose daemons obey every remote command, so that a test can make one deaf."""

from celery.worker.control import Panel

_ALL = dict(Panel.data)

from workers.celery_app import app  # noqa: E402  # after its commands were kept

Panel.data.update(_ALL)

__all__ = ["app"]
