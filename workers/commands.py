"""Which of Celery's remote control commands a daemon obeys: those that ask, and with a key those that revoke too.

Celery obeys whoever can write to the broker: it shuts down, stops to consume, changes limits, or matches its name with
a pattern that never ends. An operator ends a daemon by a signal, and a run by the API. Any other command is answered
with a refusal that says so.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from celery import Celery, signals
from celery.app.control import Control
from celery.worker import state as worker_state
from celery.worker.control import Panel, nok
from kombu import pidbox

from app.broker.task_messages import read_signer

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
_POOL: Final = "a daemon keeps its number of threads: start another daemon, or this one with another --concurrency"
_QUEUES: Final = "a daemon serves the queues of its group: start one with another --group"
_LIMITS: Final = "tasks have no limits of their own: rate limits are settings of integrations and accounts"
STOP_THE_RUN: Final = "stop its run instead: ferryman run stop ID, or PATCH /sync-job-run/{id} with status stopped"
REFUSALS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("pool_grow", "pool_shrink", "pool_restart", "autoscale"), _POOL),
    **dict.fromkeys(("add_consumer", "cancel_consumer"), _QUEUES),
    **dict.fromkeys(("rate_limit", "time_limit"), _LIMITS),
    "shutdown": "a daemon is ended by SIGTERM, or by its supervisor",
    "terminate": f"tasks are never terminated: {STOP_THE_RUN}",
    "revoke": f"daemons obey no revoke without FERRYMAN_MESSAGE_KEY: {STOP_THE_RUN}",
}
"""What daemons say to commands that they do not obey."""
_NO_COMMAND: Final = "daemons obey no such command"
_FIELDS: Final = frozenset({"method", "arguments", "destination", "pattern", "matcher", "reply_to", "ticket"})
_MOST_DESTINATIONS: Final = 1000
_LARGEST_CLOCK: Final = 2**53


class UnusableCommandError(ValueError):
    """A command is none that daemons obey."""


class CheckingNode(pidbox.Node):  # type: ignore[misc]  # kombu has no types
    """A daemon's mailbox, which opens what is addressed well."""

    def handle_message(self, body: Any, message: Any = None) -> Any:
        """Run a command, or drop it."""
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
    """Remove all other commands from the worker."""
    has_key = read_signer() is not None
    obeyed = _ASKING | _SIGNED if has_key else _ASKING
    for name in set(Panel.data) - obeyed:
        Panel.data[name] = _build_refusal(REFUSALS.get(name, _NO_COMMAND))
    if has_key:
        Panel.data["revoke"] = _build_revoke(Panel.data["revoke"])


def _build_refusal(words: str) -> Callable[..., Any]:
    def refuse(state: Any, /, **_: object) -> Any:
        signals.task_rejected.send(sender=refuse, message=None, exc=UnusableCommandError("another command"))
        return nok(words)

    return refuse


def _build_revoke(revoke: Callable[..., Any]) -> Callable[..., Any]:
    """Revoke what has not begun yet: what has begun is ended by the end of its run."""

    def revoke_waiting(state: Any, /, task_id: object = None, terminate: object = False, **_: object) -> Any:
        ids = [task_id] if isinstance(task_id, str) else task_id if isinstance(task_id, list) else []
        begun = sorted({request.id for request in list(worker_state.active_requests)} & {str(id) for id in ids})
        if terminate:
            return nok(REFUSALS["terminate"])
        return nok(f"task {begun[0]} has begun: {STOP_THE_RUN}") if begun else revoke(state, ids)

    return revoke_waiting


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
