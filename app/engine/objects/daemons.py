"""Daemons, and the queues that they consume."""

import re
from dataclasses import dataclass
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.status import DaemonStatus

RAPID_BRIDGE_QUEUE = "rapid-bridge"


GROUP_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A Celery worker process of one group."""

    id: str
    label: str
    group_key: str
    status: DaemonStatus
    metadata: JsonObject
    created_at: datetime
    updated_at: datetime
    last_active_at: datetime | None = None
    consumed_at: datetime | None = None
    """When it last took a message from its queues."""


def name_queue(group_key: str | None) -> str:
    """Name the queue of a daemon group; runs without a group (webhook runs) share one that every daemon consumes."""
    return f"daemon-group.{group_key}" if group_key else RAPID_BRIDGE_QUEUE
