"""Recognise an answer that says 200 and tells of an error, where a list is due and is not there.

Only an answer without the list is looked at: beside records, a ``message`` or an empty ``errors`` means nothing.
"""

import re
from typing import Final

from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import is_true

# Names as they are left by _plain: fault_string, faultString and Fault-String are one.
_ERRORS: Final = frozenset(
    {"error", "errors", "errorcode", "errcode", "errorno", "errno", "errormessage", "errormessages", "errormsg"}
    | {"errordescription", "errordetails", "errortype", "fault", "faults", "faultcode", "faultstring", "exception"}
)
_WORDS: Final = frozenset({"message", "messages", "msg", "errmsg", "detail"})
"""Said of errors mostly where nothing else is said."""
_SUCCESSES: Final = frozenset({"success", "ok", "issuccess", "succeeded"})
_STATUSES: Final = frozenset({"status", "statuscode", "code", "httpstatus", "httpcode"})
_BAD_STATUSES: Final = frozenset({"error", "err", "fail", "failed", "failure", "unauthorized", "forbidden", "denied"})
_NO_ERROR: Final = frozenset({"none", "null", "ok", "success", "successful", "succeeded", "no error", "no errors"})

_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]")


def sign_of_error(answer: JsonObject, *, is_alone: bool) -> str | None:
    """Return the key by which an object tells of an error.

    ``is_alone`` says that it holds no part of what was asked for: then words such as a ``message`` are one, too.
    """
    return next((key for key, value in answer.items() if _tells(_plain(key), value, is_alone=is_alone)), None)


def _plain(key: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", key.lower())


def _tells(name: str, value: JSON, *, is_alone: bool) -> bool:
    if name in _ERRORS or (is_alone and name in _WORDS):
        return _says_something(value)
    if name in _SUCCESSES:
        return isinstance(value, bool | int | str) and not is_true(value)
    return name in _STATUSES and _is_bad_status(value)


def _says_something(value: JSON) -> bool:
    if isinstance(value, str):
        return is_true(value) and value.strip().lower() not in _NO_ERROR
    return bool(value)


def _is_bad_status(value: JSON) -> bool:
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    return text in _BAD_STATUSES or (text.isascii() and text.isdigit() and 400 <= int(text[:9]) <= 599)
