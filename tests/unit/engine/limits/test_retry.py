from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.engine.limits.constants import LONGEST_BELIEVED_SECONDS
from app.engine.limits.retry import compute_backoff, draw_backoff, read_retry_after

NOW = datetime(2026, 1, 5, 10, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (10_000, 30.0)], ids=str
)
def test_backoff_doubles_up_to_the_cap(attempt: int, seconds: float) -> None:
    assert compute_backoff(attempt, 0.5, 30.0) == seconds


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 10.0), (10_000, 10.0)])
def test_pause_is_drawn_from_all_up_to_the_backoff(attempt: int, longest: float) -> None:
    assert draw_backoff(attempt, 0.5, 10.0, lambda: 1.0) == longest
    assert draw_backoff(attempt, 0.5, 10.0, lambda: 0.25) == longest / 4
    assert draw_backoff(attempt, 0.5, 10.0, lambda: 0.0) == 0.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("9" * 400, LONGEST_BELIEVED_SECONDS),
        ("Mon, 05 Jan 2026 10:02:00 GMT", 120.0),
        ("Mon, 05 Jan 2026 11:02:00 +0100", 120.0),
        ("Mon, 05 Jan 2026 10:02:00 -0000", 120.0),
        ("Mon, 05 Jan 2026 09:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_BELIEVED_SECONDS),
        (None, None),
        ("", None),
        (".", None),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("1e3", None),
        ("٣٠", None),
        ("2026-01-05T10:02:00Z", None),
    ],
)
def test_both_forms_of_retry_after_are_read(header: str | None, seconds: float | None) -> None:
    assert read_retry_after(header, NOW) == seconds


@given(st.integers(min_value=0, max_value=86_400))
def test_a_date_is_as_far_away_as_it_says(seconds: int) -> None:
    header = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert read_retry_after(header, NOW) == seconds


@given(st.text() | st.from_regex(r"Mon, [0-9]{1,30} Jan [0-9]{1,30} [0-9:]{1,30} [+-][0-9]{1,30}", fullmatch=True))
@example("Mon, 05 Jan 2026 10:00:00 +99999999999999999999")
@example("Mon, 05 Jan 0001 00:00:00 +2359")
def test_no_header_breaks_the_reader(header: str) -> None:
    found = read_retry_after(header, NOW)

    assert found is None or 0.0 <= found <= LONGEST_BELIEVED_SECONDS
