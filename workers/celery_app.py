"""The Celery application that daemons run: ``celery -A workers.celery_app worker``."""

from celery import Celery

from app.broker import envelopes

app = Celery(
    "ferryman",
    include=["workers.tasks"],
    amqp="app.broker.task_messages:SealingAmqp",
    control="workers.commands:CheckingControl",
)
app.config_from_object("celeryconfig")

# Registered by import: the signals that move statuses, and the step that sweeps. After `app`, which they use.
from workers import canary, commands, event_batches, signals, steps  # noqa: E402

canary.install(app)
commands.install(app)
envelopes.refuse_compression()
steps.install(app)
event_batches.install(app)
signals.install()
