from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.integrations.config import parse_config
from app.engine.integrations.rate_limit import RateLimitConfig
from app.engine.json_types import JSON

NOW = datetime(2026, 1, 5, 10, 0, 0, tzinfo=UTC)


def config(rate_limit: JSON) -> RateLimitConfig:
    parsed, faults = parse_config({"base_url": "https://up.test", "rate_limit": rate_limit})
    assert faults == []
    assert parsed is not None
    return parsed.rate_limit


def test_nothing_is_known_without_the_part() -> None:
    absent = config(None)

    assert absent == RateLimitConfig()
    assert (absent.pace, absent.is_limited(429, {}), absent.is_limited(403, {})) == (None, True, False)


@pytest.mark.parametrize(
    ("part", "pace"),
    [({"requests": 5}, 5), ({"requests": 5, "per_seconds": 1}, 5), ({"requests": 90, "per_seconds": 60}, 1.5)],
)
def test_a_known_limit_is_a_pace(part: JSON, pace: float) -> None:
    assert config(part).pace == pace


@pytest.mark.parametrize(
    ("expression", "status", "headers", "is_limited"),
    [
        ("status = 403", 403, {}, True),
        ("status = 403", 429, {}, True),
        ("status in [403, 420]", 420, {}, True),
        ("status >= 500", 503, {}, True),
        ("status != 200 and headers.`x-left` = '0'", 403, {"x-left": "0"}, True),
        ("status != 200 and headers.`x-left` = '0'", 200, {"x-left": "0"}, False),
        ('status = 403 and headers["X-Left"] = "0" or status = 420', 420, {}, True),
        ("$number(headers.left) = 0", 200, {"left": "0"}, True),
        ("headers.`x-left` != 0", 200, {"x-left": "0"}, False),
        ("headers.`x-left` != 0", 200, {}, True),
        ("$exists(headers.`retry-after`)", 403, {"retry-after": "1"}, True),
        ("$contains(headers.`x-why`, /slow/i)", 403, {"x-why": "Slow down"}, True),
        ("$contains(headers.`x-why`, /slow/i)", 403, {"x-why": "Other"}, False),
        ("$contains(headers.`x-why`, /slow/i)", 403, {}, False),
        ("$error('a fault')", 403, {}, False),
        ("$string($number(headers.`x-limited`))", 403, {"x-limited": "0"}, False),
        ("$string($number(headers.`x-limited`))", 403, {"x-limited": "1"}, True),
        ("$count($keys(headers)[$ ~> /^x-limit/]) > 0", 400, {"x-limit-a": "1"}, True),
        (False, 403, {}, False),
    ],
)
def test_a_condition_tells_refusals(expression: JSON, status: int, headers: dict[str, str], is_limited: bool) -> None:
    assert config({"is_rate_limited": expression}).is_limited(status, headers) is is_limited


@pytest.mark.parametrize("form", ["headers.`x-wait`", "headers.`X-Wait`", "x-wait", '$number(headers["x-wait"])'])
def test_a_configured_header_tells_the_wait(form: str) -> None:
    found = config({"retry_after_header_expression": form})

    assert found.wait_seconds({"x-wait": "7"}, NOW) == 7
    assert found.wait_seconds({}, NOW) is None


def test_a_wait_may_be_computed() -> None:
    found = config({"retry_after_header_expression": "$number(headers.`x-wait-ms`) / 1000"})

    assert found.wait_seconds({"x-wait-ms": "2500"}, NOW) == 2.5
    assert found.wait_seconds({"x-wait-ms": "soon"}, NOW) is None


def test_the_longer_of_the_configured_waits_wins() -> None:
    found = config({"retry_after_header_expression": "x-wait", "rate_limit_header_expression": "x-reset"})
    reset = str(int(NOW.timestamp()) + 50)

    assert found.wait_seconds({"x-wait": "7", "x-reset": reset}, NOW) == 50
    assert found.wait_seconds({"x-wait": "77", "x-reset": reset}, NOW) == 77
    assert found.wait_seconds({"x-wait": "-7", "x-reset": "soon"}, NOW) is None


def test_a_first_wait_may_be_given_for_answers_that_tell_none() -> None:
    assert config({"default_wait_seconds": 60}).default_wait_seconds == 60
    assert config({}).default_wait_seconds is None


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"requests": 0}, "requests"),
        ({"requests": 5, "per_seconds": 0}, "per_seconds"),
        ({"requests": 5, "per_seconds": "1"}, "per_seconds"),
        ({"is_rate_limited": True}, "is_rate_limited"),
        ({"is_rate_limited": "status = 403 and ("}, "is_rate_limited"),
        ({"default_wait_seconds": 0}, "default_wait_seconds"),
        ({"default_wait_seconds": "60"}, "default_wait_seconds"),
        ({"default_wait_seconds": 3601}, "default_wait_seconds"),
        ({"retry_after_header_expression": "$max(["}, "retry_after_header_expression"),
        ({"rate_limit_header_expression": 5}, "rate_limit_header_expression"),
        ("fast", ""),
    ],
)
def test_what_is_not_understood_is_refused(part: Any, path: str) -> None:
    parsed, faults = parse_config({"base_url": "https://up.test", "rate_limit": part})

    assert parsed is None
    assert [fault.path for fault in faults] == [f"config.rate_limit.{path}".rstrip(".")]
