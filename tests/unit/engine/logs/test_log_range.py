"""One look at the log spans a month: what is longer is refused, and what has no beginning gets one."""

from datetime import UTC, datetime, timedelta

import pytest

from app.engine.logs import range as log_range

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
MONTH = timedelta(days=31)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def times(**given: datetime) -> dict[tuple[str, str], object]:
    return {("created_at", operator): time for operator, time in given.items()}


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ({}, NOW - MONTH),
        ({"lt": LONG_AGO}, LONG_AGO - MONTH),
        ({"lt": NOW, "lte": LONG_AGO}, LONG_AGO - MONTH),
        ({"lt": NOW + MONTH}, NOW - MONTH),
        ({"lt": datetime.min.replace(tzinfo=UTC)}, datetime.min.replace(tzinfo=UTC)),
    ],
    ids=["nothing", "an-end", "two-ends", "a-later-end", "the-first-moment"],
)
def test_range_without_a_beginning_begins_a_month_before_its_end(given: dict[str, datetime], begins: datetime) -> None:
    assert log_range.bound_range(times(**given), NOW) == {**times(**given), ("created_at", "gte"): begins}


@pytest.mark.parametrize("operator", ["gt", "gte", "eq", "in"])
def test_range_that_has_a_beginning_keeps_it(operator: str) -> None:
    given = times(**{operator: NOW})

    assert log_range.bound_range(given, NOW) == given


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"gt": NOW - MONTH},
        {"gte": LONG_AGO, "lt": LONG_AGO + MONTH},
        {"gt": LONG_AGO, "gte": NOW},
        {"gt": NOW + MONTH},
        {"eq": LONG_AGO},
        {"gt": LONG_AGO, "eq": LONG_AGO},
    ],
    ids=["nothing", "a-month", "an-old-month", "two-beginnings", "the-future", "a-moment", "a-moment-of-a-range"],
)
def test_range_of_a_month_at_most_is_no_failure(given: dict[str, datetime]) -> None:
    assert log_range.check_range(times(**given), NOW) == []


@pytest.mark.parametrize(
    ("given", "path", "days"),
    [
        ({"gt": NOW - timedelta(days=40)}, "created_at[gt]", 40),
        ({"gte": LONG_AGO, "lt": LONG_AGO + timedelta(days=32)}, "created_at[gte]", 32),
    ],
    ids=["until-now", "until-an-end"],
)
def test_longer_range_is_refused_with_its_length(given: dict[str, datetime], path: str, days: int) -> None:
    (failure,) = log_range.check_range(times(**given), NOW)

    assert failure.path == path
    assert f"reaches back {days} days: one look at the log spans 31 days at most" in failure.message
