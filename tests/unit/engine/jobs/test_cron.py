"""Due times: zones, daylight saving, and expressions that mean nothing."""

from datetime import UTC, datetime

import pytest

from app.engine.errors import InvalidInputError
from app.engine.jobs import cron


def due_times(expression: str, zone: str, after: str, count: int) -> list[str]:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = []
    for _ in range(count):
        moment = cron.find_next_due(expression, zone, moment)
        found.append(moment.strftime("%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        pytest.param("*/15 * * * *", "UTC", "2026-05-01T10:15:00", ["01 10:30", "01 10:45"], id="strictly after"),
        pytest.param("0 6 * * 1-5", "UTC", "2026-05-01T07:00:00", ["04 06:00", "05 06:00"], id="weekdays"),
        pytest.param("0 6 * * *", "Asia/Kolkata", "2026-05-01T00:00:00", ["01 00:30", "02 00:30"], id="zone"),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00", ["29 01:00", "30 00:30"], id="gap"),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00", ["25 00:30", "26 01:30"], id="fold: once"),
        pytest.param("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:10:00", ["25 00:30", "25 01:00"], id="fold: even"),
        pytest.param("0 0 29 2 *", "UTC", "2026-03-01T00:00:00", ["29 00:00"], id="leap day"),
    ],
)
def test_next_after_gives_due_times_in_utc(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert due_times(expression, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "* * * * * *", "@daily", "60 * * * *", "*/0 * * * *", "x * * * *", "0 0 30 2 *"]
)
def test_expressions_without_due_times_are_refused(expression: str) -> None:
    assert [failure.path for failure in cron.check_cron(expression, "UTC")] == ["cron_expression"]


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../UTC", "America", "/etc/passwd", "Europe/Berlin\x00"])
def test_unknown_zones_are_refused(zone: str) -> None:
    assert [failure.path for failure in cron.check_cron("* * * * *", zone)] == ["timezone"]


def test_next_after_tells_all_faults() -> None:
    with pytest.raises(InvalidInputError) as caught:
        cron.find_next_due("never", "nowhere", datetime(2026, 1, 1, tzinfo=UTC))

    assert [failure.path for failure in caught.value.failures] == ["timezone", "cron_expression"]
