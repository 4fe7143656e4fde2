"""Answers that say 200 and tell of an error."""

from typing import Any

import pytest

from app.engine.json_types import JsonObject
from app.sources.answers.record_lists import find_error_key

SAID = ["invalid_token", 17, {"code": 1}, [{"message": "x"}], True]
UNSAID = [None, False, 0, "", "0", "false", "none", "No errors", "OK", [], {}]
KEYS = ["error", "errors", "Error", "error_code", "errorMessage", "error-msg", "errcode", "fault", "faultString"]
WORDS = ["message", "Messages", "msg", "errmsg", "detail"]


@pytest.mark.parametrize("key", KEYS)
def test_what_is_called_an_error_is_one_unless_it_says_nothing(key: str) -> None:
    assert [find_error_key({"total": 0, key: value}, is_alone=False) for value in SAID] == [key] * len(SAID)
    assert [find_error_key({key: value}, is_alone=True) for value in UNSAID] == [None] * len(UNSAID)


@pytest.mark.parametrize("key", WORDS)
def test_words_are_an_error_where_they_stand_alone(key: str) -> None:
    assert find_error_key({key: "try later"}, is_alone=True) == key
    assert find_error_key({key: "try later"}, is_alone=False) is None
    assert [find_error_key({key: value}, is_alone=True) for value in UNSAID] == [None] * len(UNSAID)


@pytest.mark.parametrize(
    ("answer", "sign"),
    [
        ({"success": False}, "success"),
        ({"isSuccess": "false"}, "isSuccess"),
        ({"ok": 0}, "ok"),
        ({"ok": True, "success": "yes"}, None),
        ({"success": None}, None),
        ({"status": "fail"}, "status"),
        ({"status": "Error"}, "status"),
        ({"status": 404}, "status"),
        ({"code": "500"}, "code"),
        ({"status": "ok", "code": 0, "statusCode": 200, "http_code": "201"}, None),
        ({"code": 10000, "status": "9" * 50, "statusCode": "٤٠٤"}, None),
        ({"status": {"code": 404}}, None),
        ({"total": 0, "page": 1}, None),
        ({}, None),
    ],
)
def test_flags_and_statuses_tell_too(answer: JsonObject, sign: Any) -> None:
    assert find_error_key(answer, is_alone=False) == sign
