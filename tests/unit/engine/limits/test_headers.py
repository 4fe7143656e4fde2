from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.engine.limits import headers as rate_limit_headers
from app.engine.limits.constants import LONGEST_BELIEVED_SECONDS, LONGEST_WAIT_SECONDS
from app.engine.limits.headers import RateLimitHeaders

NOW = datetime(2026, 1, 5, 10, 0, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def read(**headers: str) -> RateLimitHeaders:
    return rate_limit_headers.read_headers(
        {name.replace("_", "-"): text for name, text in headers.items()}, now=NOW, server_date=None
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        (" 1.5 ", 1.5),
        (str(EPOCH + 30), 30),
        (f"{EPOCH + 30}.5", 30.5),
        (str((EPOCH + 30) * 1000), 30),
        (str((EPOCH + 30) * 1_000_000), 30),
        ("Mon, 05 Jan 2026 10:02:00 GMT", 120),
        ("2026-01-05T10:02:00Z", 120),
        ("2026-01-05T10:02:00", 120),
        ("6m0s", 360),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("1d", 86400),
    ],
)
def test_every_form_of_a_wait_is_read(text: str, seconds: float) -> None:
    assert rate_limit_headers.read_seconds(text, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("-5", "0", "0.0", "soon", "", " ", "nan", "inf", "1e3", "٣٠", "9" * 400, "99999999"),
        *(str(EPOCH - 1), str((EPOCH - 1) * 1000), "Mon, 05 Jan 2026 09:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"),
        *("4070908800", "4070908800000", "2099-01-01T00:00:00Z"),
    ],
)
def test_a_wait_that_makes_no_sense_is_not_believed(text: str) -> None:
    assert rate_limit_headers.read_seconds(text, NOW) is None
    assert read(retry_after=text, x_ratelimit_reset=text).wait_seconds() is None


def test_the_longer_of_two_waits_wins() -> None:
    assert read(retry_after="3", x_ratelimit_reset=str(EPOCH + 20)).wait_seconds() == 20
    assert read(retry_after="30", x_ratelimit_reset=str(EPOCH + 20)).wait_seconds() == 30


@pytest.mark.parametrize(
    ("remaining", "retry_after", "configured", "has_default", "wait"),
    [
        ("4990", "60", None, False, 60),
        ("4990", None, 10, False, 10),
        ("4990", None, None, True, None),
        ("4990", None, None, False, 2400),
        ("0", "60", None, True, 2400),
        (None, "60", None, True, 2400),
    ],
)
def test_a_reset_beside_requests_that_remain_is_another_limits(
    remaining: str | None, retry_after: str | None, configured: float | None, has_default: bool, wait: float | None
) -> None:
    told = {"x_ratelimit_remaining": remaining, "retry_after": retry_after, "x_ratelimit_reset": str(EPOCH + 2400)}
    signs = read(**{name: value for name, value in told.items() if value is not None})

    assert signs.wait_seconds(configured, has_default=has_default) == wait


def test_a_wait_of_many_hours_asks_again_after_one() -> None:
    assert read(retry_after="40000").wait_seconds() == LONGEST_WAIT_SECONDS


@pytest.mark.parametrize(
    ("headers", "remaining", "limit", "reset"),
    [
        ({"x_ratelimit_remaining": "4", "x_ratelimit_limit": "5", "x_ratelimit_reset": "1"}, 4, 5, 1),
        ({"x_rate_limit_remaining": "0", "x_rate_limit_limit": "60", "x_rate_limit_reset": str(EPOCH + 9)}, 0, 60, 9),
        ({"ratelimit_remaining": "7", "ratelimit_limit": "110, 110;w=10", "ratelimit_reset": "8"}, 7, 110, 8),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, 50, 100, 5),
        ({"ratelimit": '"default";r=50;t=30', "ratelimit_policy": '"default";q=100;w=60'}, 50, 100, 30),
        (
            {"ratelimit": '"a";r=9;t=1, "day";r=2;t=600', "ratelimit_policy": '"a";q=10, "day";q=99'},
            2,
            None,
            600,
        ),
        ({"ratelimit": '"a";r=0;t=5, "b";r=0;t=50'}, 0, None, 50),
        ({"x_ratelimit_reset_requests": "6m0s", "x_ratelimit_remaining_requests": "1"}, 1, None, 360),
        ({"ratelimit": "nonsense", "x_ratelimit_remaining": "none"}, None, None, None),
    ],
)
def test_what_remains_is_read(headers: dict[str, str], remaining: int, limit: int, reset: float) -> None:
    signs = read(**headers)

    assert (signs.remaining, signs.limit, signs.reset_seconds) == (remaining, limit, reset)


def test_moments_are_read_by_the_upstreams_clock_when_ours_is_wrong() -> None:
    theirs = NOW + timedelta(minutes=5)
    headers = {"x-ratelimit-reset": str(EPOCH + 330)}

    signs = rate_limit_headers.read_headers(headers, now=NOW, server_date=theirs)

    assert signs.reset_seconds == 30


def test_a_date_of_whole_seconds_does_not_make_our_clock_wrong() -> None:
    headers = {"x-ratelimit-reset": str(EPOCH * 1000 + 500)}

    signs = rate_limit_headers.read_headers(headers, now=NOW, server_date=NOW - timedelta(seconds=1))

    assert signs.reset_seconds == 0.5


@given(seconds=st.integers(min_value=1, max_value=86_400))
def test_a_moment_is_as_far_away_in_every_unit(seconds: int) -> None:
    told = {rate_limit_headers.read_seconds(str((EPOCH + seconds) * unit), NOW) for unit in (1, 1000, 1_000_000)}

    assert told == {float(seconds)}


NAMES = st.sampled_from(
    ["retry-after", "ratelimit", "ratelimit-policy", "ratelimit-reset", "ratelimit-limit", "x-ratelimit-reset"]
)
TEXTS = st.text() | st.from_regex(r'"?[a-z]{0,3}"?(;[rtqw]=[0-9]{1,25}){0,3}|[0-9.]{1,30}|[0-9]{1,9}[dhms]{1,2}')


@given(headers=st.dictionaries(NAMES, TEXTS))
@example(headers={"retry-after": "Mon, 05 Jan 2026 10:00:00 +99999999999999999999"})
def test_no_header_breaks_the_reader_and_no_wait_is_absurd(headers: dict[str, str]) -> None:
    signs = rate_limit_headers.read_headers(headers, now=NOW, server_date=None)

    assert signs.wait_seconds() is None or 0 < signs.wait_seconds() <= LONGEST_WAIT_SECONDS
    assert signs.reset_seconds is None or 0 < signs.reset_seconds <= LONGEST_BELIEVED_SECONDS
    assert signs.remaining is None or signs.remaining >= 0
