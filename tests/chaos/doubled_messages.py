"""Have every Celery message come twice: watch Redis for pushes, and push each message once more."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import redis

from app.engine.ids import new_id
from tests.chaos import faults
from tests.chaos.arena import Round

_PUSH = re.compile(r'LPUSH "?(\S+?)"? "?(\{.*\})"?$', re.DOTALL)


@contextmanager
def doubled_messages(round: Round) -> Iterator[None]:
    """Double every message until the block ends."""
    client = redis.Redis(unix_socket_path=round.stack.broker_url.partition("://")[2])
    doubled: set[str] = set()
    ready = Event()

    def double(stop: Event) -> None:
        with client.monitor() as monitor:
            ready.set()
            while not stop.is_set():
                command = monitor.next_command()["command"]
                if match := _PUSH.search(command):
                    _push_once_more(client, match[1], match[2], doubled)

    with faults.in_background(double):
        assert ready.wait(10)
        try:
            yield
        finally:
            # Wakes the watcher up, so that it sees that it is to stop.
            client.ping()
            round.story.append(f"doubled {len(doubled)} messages")
    assert doubled, "no message was doubled"


def _push_once_more(client: redis.Redis, queue: str, text: str, doubled: set[str]) -> None:
    message = json.loads(text)
    # A daemon's report to the leader is no task and has no id.
    task_id = message["headers"].get("id")
    if task_id is None or task_id in doubled:
        return
    doubled.add(task_id)
    message["properties"]["delivery_tag"] = new_id()
    client.lpush(queue, json.dumps(message))
