"""The Celery application that daemons run: ``celery -A workers.celery_app worker``."""

from celery import Celery

app = Celery("ferryman", include=["workers.tasks"])
app.config_from_object("celeryconfig")

# Registered by import: the signals that move statuses, and the step that sweeps. After `app`, which they use.
from workers import canary, event_batches, signals, steps  # noqa: E402

canary.install(app)
steps.install(app)
event_batches.install(app)
signals.install()
