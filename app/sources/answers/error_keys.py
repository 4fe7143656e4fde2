"""Recognise an error in an answer with status 200 that lacks the expected list.

An answer with records is not examined: there a ``message`` or an empty ``errors`` means nothing.
"""

import re
from typing import Final

from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import is_true

# Names after _normalize: fault_string, faultString and Fault-String are one.
_ERRORS: Final = frozenset(
    {"error", "errors", "errorcode", "errcode", "errorno", "errno", "errormessage", "errormessages", "errormsg"}
    | {"errordescription", "errordetails", "errortype", "fault", "faults", "faultcode", "faultstring", "exception"}
)
_WORDS: Final = frozenset({"message", "messages", "msg", "errmsg", "detail"})
"""Keys of errors only where the answer holds nothing else."""
_SUCCESSES: Final = frozenset({"success", "ok", "issuccess", "succeeded"})
_STATUSES: Final = frozenset({"status", "statuscode", "code", "httpstatus", "httpcode"})
_BAD_STATUSES: Final = frozenset({"error", "err", "fail", "failed", "failure", "unauthorized", "forbidden", "denied"})
_NO_ERROR: Final = frozenset({"none", "null", "ok", "success", "successful", "succeeded", "no error", "no errors"})

_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]")


def find_error_key(answer: JsonObject, *, is_alone: bool) -> str | None:
    """Return the key by which an object describes an error.

    ``is_alone``: it holds nothing of what was requested, so that a ``message`` is an error too.
    """
    return next((key for key, value in answer.items() if _is_error(_normalize(key), value, is_alone=is_alone)), None)


def _normalize(key: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", key.lower())


def _is_error(name: str, value: JSON, *, is_alone: bool) -> bool:
    if name in _ERRORS or (is_alone and name in _WORDS):
        return _has_content(value)
    if name in _SUCCESSES:
        return isinstance(value, bool | int | str) and not is_true(value)
    return name in _STATUSES and _is_bad_status(value)


def _has_content(value: JSON) -> bool:
    if isinstance(value, str):
        return is_true(value) and value.strip().lower() not in _NO_ERROR
    return bool(value)


def _is_bad_status(value: JSON) -> bool:
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    return text in _BAD_STATUSES or (text.isascii() and text.isdigit() and 400 <= int(text[:9]) <= 599)
