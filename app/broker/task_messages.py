"""What a task's message may be: exactly what Ferryman sends, and nothing else that Celery would act on.

Celery acts on much of what a message says: it stops a task that has expired, holds back one with an eta, runs whatever
task of its own is named, and publishes the signatures that stand in it. Ferryman's messages use one value of each of
those; any other value is somebody else's. With a key, all of it is signed.
"""

import os
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from celery.app.amqp import AMQP
from kombu.exceptions import DecodeError

from app.broker import envelopes, signing, tasks
from app.broker.signing import Signer
from app.engine.ids import parse_id

SEAL: Final = "ferryman-seal"
"""The header that proves all others."""
_PURPOSE: Final = "task"
_UNSIGNED: Final = frozenset({SEAL, "redelivered"})
_BROKERS_OWN: Final = "x-"

_FIXED: Final[Mapping[str, tuple[object, ...]]] = {
    "shadow": (None,),
    "eta": (None,),
    "expires": (None,),
    "retries": (None, 0),
    "timelimit": (None, [None, None]),
    "replaced_task_nesting": (None, 0),
    "stamped_headers": (None, []),
    "stamps": (None, {}),
}
"""What Celery acts on, and the only values that Ferryman sends."""
_TEXTS: Final = frozenset({"lang", "group", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin"})
_LONGEST_TEXT: Final = 4096
_OTHERS: Final[Mapping[str, type]] = {"group_index": int, "ignore_result": bool, "redelivered": bool, SEAL: str}
_KNOWN: Final = frozenset({"task", "id", *_FIXED, *_TEXTS, *_OTHERS})
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")

_ARGUMENTS: Final = {tasks.START_RUN: 1, tasks.SYNC_RESOURCE: 2, tasks.SYNC_UNIT: 2}
_EMBEDDED: Final = frozenset({"callbacks", "errbacks", "chain", "chord"})
_SIGNATURE: Final = frozenset({"task", "args", "kwargs", "options", "subtask_type", "immutable"})
_OPTIONS: Final = frozenset({"queue", "task_id", "reply_to", "group_id", "group_index", "root_id", "parent_id"})
_CANVASES: Final = {"celery.group": "group", "celery.chain": "chain"}


class SealingAmqp(AMQP):  # type: ignore[misc]  # Celery has no types
    """Celery's writer of task messages, which seals each when there is a key."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self._signer = signer_of_environment()

    def as_task_v2(self, *args: Any, **options: Any) -> Any:
        """Write a message by Celery's protocol 2."""
        message = super().as_task_v2(*args, **options)
        if self._signer is not None:
            message.headers[SEAL] = self._signer.seal(_PURPOSE, [_signed(message.headers), message.body])
        return message


def signer_of_environment() -> Signer | None:
    """Make what signs by FERRYMAN_MESSAGE_KEY, which celeryconfig reads the same way; None without one."""
    return signing.signer(os.environ.get("FERRYMAN_MESSAGE_KEY", ""))


def fault(message: Any, signer: Signer | None) -> str | None:
    """Say why a message of kombu is none of Ferryman's tasks; None when it is one."""
    if reason := _headers_fault(message.headers):
        return reason
    body = body_of(message, signer)
    if body is None:
        return "not signed, or not JSON" if signer else "not JSON"
    if signer and not signer.proves(message.headers.get(SEAL), _PURPOSE, [_signed(message.headers), body]):
        return "not signed"
    return None if _is_body(message.headers["task"], body) else "arguments of another shape"


def body_of(message: Any, signer: Signer | None) -> Any:
    """Read what a message of kombu says; None when it is not JSON, or not signed although there is a key.

    Celery's own way reads some content types in any case, by any codec of Python.
    """
    content_type = "application/json" if signer is None else signing.CONTENT_TYPE
    if message.content_encoding != "utf-8" or message.content_type != content_type:
        return None
    if message.errors or not isinstance(message.body, bytes | str) or len(message.body) > envelopes.LARGEST_BYTES:
        return None
    try:
        return orjson.loads(message.body if signer is None else signer.opened(message.body))
    except (ValueError, DecodeError):
        return None


def is_name(value: object) -> bool:
    """Whether a value is what queues, tasks and daemons are called by."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _signed(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in headers.items()
        if value is not None and name not in _UNSIGNED and not name.startswith(_BROKERS_OWN)
    }


def _headers_fault(headers: Any) -> str | None:
    if not isinstance(headers, dict) or not all(isinstance(name, str) for name in headers):
        return "headers that are no object"
    if not isinstance(headers.get("task"), str) or not is_name(headers.get("id")):
        return "no task"
    if tasks.current_name(headers["task"]) not in {*_ARGUMENTS, tasks.CANARY}:
        return "another task"
    for name, value in headers.items():
        if not name.startswith(_BROKERS_OWN) and not _is_header(name, value):
            return f"header {name}" if name in _KNOWN else "an unknown header"
    return None


def _is_header(name: str, value: object) -> bool:
    if name in _FIXED:
        return value in _FIXED[name] and not isinstance(value, bool)
    if name in _TEXTS:
        return value is None or (isinstance(value, str) and len(value) <= _LONGEST_TEXT)
    if name in _OTHERS:
        return value is None or type(value) is _OTHERS[name]
    return name in _KNOWN


def _is_body(task: str, body: object) -> bool:
    match body:
        case [list(args), {**kwargs}, {**embedded}] if not kwargs and set(embedded) <= _EMBEDDED:
            chain = embedded.pop("chain", None)
            nothing_else = all(value is None or value == [] for value in embedded.values())
            return nothing_else and _are_arguments(task, args) and (chain is None or _are_signatures(chain))
        case _:
            return False


def _are_arguments(task: str, args: list[Any]) -> bool:
    name = tasks.current_name(task)
    if name == tasks.CANARY:
        return len(args) == 1 and is_name(args[0])
    return len(args) == _ARGUMENTS.get(name) and all(isinstance(arg, str) and _is_id(arg) for arg in args)


def _is_id(text: str) -> bool:
    return parse_id(text) == text


def _are_signatures(chain: object) -> bool:
    """Whether all is what workers/canvas.py writes; a stack instead of calls, for a stranger chooses the depth."""
    waiting = [chain]
    while waiting:
        signatures = waiting.pop()
        if not isinstance(signatures, list):
            return False
        for signature in signatures:
            if not _is_signature(signature):
                return False
            if signature["kwargs"]:
                waiting.append(signature["kwargs"]["tasks"])
    return True


def _is_signature(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != _SIGNATURE or not _are_options(value["options"]):
        return False
    match value:
        case {"task": str(task), "args": [], "kwargs": {"tasks": list(), **more}, "subtask_type": kind}:
            return not more and kind is not None and _CANVASES.get(task) == kind
        case {"task": str(task), "args": list(args), "kwargs": {**kwargs}, "subtask_type": None, "immutable": True}:
            return not kwargs and tasks.current_name(task) in _ARGUMENTS and _are_arguments(task, args)
        case _:
            return False


def _are_options(options: object) -> bool:
    return (
        isinstance(options, dict)
        and set(options) <= _OPTIONS
        and all(value is None or type(value) is int or is_name(value) for value in options.values())
    )
