"""Validate task messages: only what Ferryman sends is accepted, and nothing else that Celery would act on.

Celery acts on many fields of a message: it drops an expired task, delays one with an eta, runs any of its own tasks,
and publishes the signatures in it. Ferryman's messages have one value for each of these; one with another value is
refused. With a key, all of it is signed.
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
"""The header with the MAC of all others."""
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
"""Headers that Celery acts on, with the values that Ferryman sends."""
_TEXTS: Final = frozenset({"lang", "group", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin"})
_LONGEST_TEXT: Final = 4096
_OTHERS: Final[Mapping[str, type]] = {"group_index": int, "ignore_result": bool, "redelivered": bool, SEAL: str}
_KNOWN: Final = frozenset({"task", "id", *_FIXED, *_TEXTS, *_OTHERS})
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")

_ARGUMENTS: Final = {tasks.START_RUN: 1, tasks.SYNC_RESOURCE: 2, tasks.SYNC_UNIT: 2, tasks.WRITE_DESTINATION: 2}
_EMBEDDED: Final = frozenset({"callbacks", "errbacks", "chain", "chord"})
_SIGNATURE: Final = frozenset({"task", "args", "kwargs", "options", "subtask_type", "immutable"})
_OPTIONS: Final = frozenset({"queue", "task_id", "reply_to", "group_id", "group_index", "root_id", "parent_id"})
_CANVASES: Final = {"celery.group": "group", "celery.chain": "chain"}


class SealingAmqp(AMQP):  # type: ignore[misc]  # Celery has no types
    """Celery's writer of task messages, which adds the seal where there is a key."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self._signer = read_signer()

    def as_task_v2(self, *args: Any, **options: Any) -> Any:
        """Write a message by Celery's protocol 2."""
        message = super().as_task_v2(*args, **options)
        if self._signer is not None:
            message.headers[SEAL] = self._signer.seal(_PURPOSE, [_select_signed(message.headers), message.body])
        return message


def read_signer() -> Signer | None:
    """Return the signer of FERRYMAN_MESSAGE_KEY, None without one; celeryconfig reads the key the same way."""
    return signing.build_signer(os.environ.get("FERRYMAN_MESSAGE_KEY", ""))


def find_fault(message: Any, signer: Signer | None) -> str | None:
    """Return why a message of kombu is not one of Ferryman's tasks; None when it is."""
    if reason := _find_header_fault(message.headers):
        return reason
    body = read_body(message, signer)
    if body is None:
        return "not signed, or not JSON" if signer else "not JSON"
    if signer and not signer.verifies(message.headers.get(SEAL), _PURPOSE, [_select_signed(message.headers), body]):
        return "not signed"
    return None if _is_body(message.headers["task"], body) else "arguments of another shape"


def read_body(message: Any, signer: Signer | None) -> Any:
    """Return the body of a message of kombu; None when it is not JSON, or not signed although there is a key.

    Celery itself always accepts some content types, and any codec of Python.
    """
    content_type = "application/json" if signer is None else signing.CONTENT_TYPE
    if message.content_encoding != "utf-8" or message.content_type != content_type:
        return None
    if message.errors or not isinstance(message.body, bytes | str) or len(message.body) > envelopes.LARGEST_BYTES:
        return None
    try:
        return orjson.loads(message.body if signer is None else signer.verify(message.body))
    except (ValueError, DecodeError):
        return None


def is_name(value: object) -> bool:
    """Whether a value can be the name of a queue, a task or a daemon."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _select_signed(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in headers.items()
        if value is not None and name not in _UNSIGNED and not name.startswith(_BROKERS_OWN)
    }


def _find_header_fault(headers: Any) -> str | None:
    if not isinstance(headers, dict) or not all(isinstance(name, str) for name in headers):
        return "headers that are no object"
    if not isinstance(headers.get("task"), str) or not is_name(headers.get("id")):
        return "no task"
    if tasks.find_current_name(headers["task"]) not in {*_ARGUMENTS, tasks.CANARY}:
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
    name = tasks.find_current_name(task)
    if name == tasks.CANARY:
        return len(args) == 1 and is_name(args[0])
    return len(args) == _ARGUMENTS.get(name) and all(isinstance(arg, str) and _is_id(arg) for arg in args)


def _is_id(text: str) -> bool:
    return parse_id(text) == text


def _are_signatures(chain: object) -> bool:
    """Whether a chain is one that workers/canvas.py writes; without recursion, since its depth is not trusted."""
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
            return not kwargs and tasks.find_current_name(task) in _ARGUMENTS and _are_arguments(task, args)
        case _:
            return False


def _are_options(options: object) -> bool:
    return (
        isinstance(options, dict)
        and set(options) <= _OPTIONS
        and all(value is None or type(value) is int or is_name(value) for value in options.values())
    )
