"""The Celery application that daemons run: ``python -m workers.daemon workers.celery_app``."""

from celery import Celery

from app import interpreter

interpreter.collect_rarely()

from app.broker import envelopes  # noqa: E402  # loaded with few collections

app = Celery(
    "ferryman",
    include=["workers.tasks"],
    amqp="app.broker.task_messages:SealingAmqp",
    control="workers.commands:CheckingControl",
)
app.config_from_object("celeryconfig")

# Registered by import: the signals that move statuses, and the step that sweeps. After `app`, which they use.
from workers import commands, consumer, heartbeat, signals, steps  # noqa: E402

heartbeat.install(app)
commands.install(app)
envelopes.refuse_compression()
steps.install(app)
consumer.install(app)
signals.install()
