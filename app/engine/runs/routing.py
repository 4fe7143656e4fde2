"""From a daemon group to the queue that its daemons consume."""

import re

RAPID_BRIDGE_QUEUE = "rapid-bridge"
GROUP_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def queue_of(group_key: str | None) -> str:
    """Name the queue of a daemon group; runs without a group (webhook runs) share one that every daemon consumes."""
    return f"daemon-group.{group_key}" if group_key else RAPID_BRIDGE_QUEUE
