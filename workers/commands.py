"""Which of Celery's remote control commands a daemon obeys: those that ask, and with a key those that revoke too.

Celery obeys whoever can write to the broker: it shuts down, stops to consume, changes limits, or matches its name with
a pattern that never ends. An operator ends a daemon by a signal, and a run by the API.
"""

from typing import Any, Final

from celery import Celery, signals
from celery.app.control import Control
from celery.worker.control import Panel
from kombu import pidbox

from app.broker.task_messages import signer_of_environment

_ASKING: Final = frozenset(
    {
        *("ping", "stats", "conf", "clock", "query_task", "registered", "active_queues"),
        *("active", "reserved", "scheduled", "revoked"),
        *("dump_active", "dump_reserved", "dump_schedule", "dump_revoked", "dump_tasks"),
        # Flower sends it again and again; a daemon's events are on anyway.
        "enable_events",
    }
)
_SIGNED: Final = frozenset({"revoke"})
_FIELDS: Final = frozenset({"method", "arguments", "destination", "pattern", "matcher", "reply_to", "ticket"})
_MOST_DESTINATIONS: Final = 1000
_LARGEST_CLOCK: Final = 2**53


class UnusableCommandError(ValueError):
    """A command is none that daemons obey."""


class CheckingNode(pidbox.Node):  # type: ignore[misc]  # kombu has no types
    """A daemon's mailbox, which opens what is addressed well."""

    def handle_message(self, body: Any, message: Any = None) -> Any:
        """Carry a command out, or drop it."""
        if _is_command(body) and _is_clock((message.headers or {}).get("clock") if message is not None else None):
            return super().handle_message(body, message)
        signals.task_rejected.send(sender=self, message=message, exc=UnusableCommandError("another command"))
        return None


class CheckingMailbox(pidbox.Mailbox):  # type: ignore[misc]
    """Makes such mailboxes."""

    node_cls = CheckingNode


class CheckingControl(Control):  # type: ignore[misc]  # Celery has no types
    """Celery's remote control with such mailboxes."""

    Mailbox = CheckingMailbox


def install(app: Celery) -> None:
    """Take all other commands from the worker."""
    obeyed = _ASKING if signer_of_environment() is None else _ASKING | _SIGNED
    for name in list(Panel.data):
        if name not in obeyed:
            del Panel.data[name]


def _is_command(body: object) -> bool:
    if not isinstance(body, dict) or not set(body) <= _FIELDS:
        return False
    # A pattern may be a regular expression of any cost.
    if body.get("pattern") or body.get("matcher"):
        return False
    method, arguments = body.get("method"), body.get("arguments")
    return (
        isinstance(method, str)
        and method in Panel.data
        and (arguments is None or isinstance(arguments, dict))
        and _is_destination(body.get("destination"))
        and _is_reply(body.get("reply_to"))
        and isinstance(body.get("ticket"), str | None)
    )


def _is_destination(value: object) -> bool:
    return not value or (
        isinstance(value, list)
        and len(value) <= _MOST_DESTINATIONS
        and all(isinstance(hostname, str) for hostname in value)
    )


def _is_reply(value: object) -> bool:
    match value:
        case None | {"exchange": str(), "routing_key": str()}:
            return True
        case _:
            return False


def _is_clock(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value < _LARGEST_CLOCK)
