from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.runs.books import Counters, ListFacts, find_imbalance, show_stats
from app.store.tables import COUNTERS

COUNTS = st.builds(Counters, **{name: st.integers(min_value=0, max_value=10**12) for name in COUNTERS})
COUNT = st.integers(min_value=0, max_value=10**12)


def test_the_counters_are_the_columns_of_the_table() -> None:
    assert tuple(field.name for field in fields(Counters)) == COUNTERS


@given(COUNTS, COUNTS, COUNTS)
def test_counters_add_up_in_any_order(a: Counters, b: Counters, c: Counters) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Counters() == a
    assert asdict(a + b) == {name: asdict(a)[name] + asdict(b)[name] for name in COUNTERS}


@given(COUNT, COUNT, COUNT, COUNT, COUNT)
def test_a_daemons_books_balance_when_every_record_is_accounted_for(
    created: int, updated: int, unchanged: int, repeated: int, quarantined: int
) -> None:
    counters = Counters(
        fetched=created + updated + unchanged + repeated + quarantined,
        created=created,
        updated=updated,
        unchanged=unchanged,
        repeated=repeated,
        quarantined=quarantined,
    )

    assert find_imbalance(counters, persisted=True, to_webhook=False) is None
    assert find_imbalance(counters + Counters(fetched=1), persisted=True, to_webhook=False) is not None


@given(COUNT, COUNT, COUNT, COUNT)
def test_a_webhooks_books_balance_when_every_record_is_delivered_or_given_up(
    delivered: int, dead_lettered: int, quarantined: int, repeated: int
) -> None:
    counters = Counters(
        fetched=delivered + dead_lettered + quarantined + repeated,
        repeated=repeated,
        queued=delivered + dead_lettered,
        quarantined=quarantined,
        delivered=delivered,
        dead_lettered=dead_lettered,
    )

    assert find_imbalance(counters, persisted=True, to_webhook=True) is None
    assert find_imbalance(counters + Counters(delivered=1), persisted=True, to_webhook=True) is not None
    assert find_imbalance(counters + Counters(fetched=1), persisted=True, to_webhook=True) is not None


def test_told_deletions_are_among_the_fetched_and_vanished_records_are_not() -> None:
    kept = Counters(fetched=3, created=1, unchanged=1, deleted=5, tombstones=1)
    sent = Counters(fetched=3, deleted=5, tombstones=1, queued=6, unchanged=1, delivered=6)

    assert find_imbalance(kept, persisted=True, to_webhook=False) is None
    assert find_imbalance(sent, persisted=True, to_webhook=True) is None


@pytest.mark.parametrize(
    ("counters", "to_webhook", "reason"),
    [
        (
            Counters(fetched=2, created=1),
            False,
            "fetched (2) is not created + updated + unchanged + repeated + quarantined (1)",
        ),
        (
            Counters(fetched=2, queued=1),
            True,
            "fetched + deleted (2) is not queued + quarantined + unchanged + repeated + withheld (1)",
        ),
        (
            Counters(fetched=2, deleted=1, tombstones=1),
            False,
            "fetched (2) is not created + updated + tombstones + unchanged + repeated + quarantined (1)",
        ),
        (
            Counters(fetched=1, deleted=2, tombstones=1, queued=1),
            True,
            "fetched + deleted - tombstones (2) is not queued + quarantined + unchanged + repeated + withheld (1)",
        ),
        (Counters(fetched=1, queued=1), True, "queued (1) is not delivered + dead_lettered (0)"),
        (Counters(skipped=-1), False, "skipped is below zero"),
        (Counters(errors=1, retried=2), False, "retried (2) is above errors (1)"),
    ],
)
def test_the_equation_that_does_not_hold_is_named(counters: Counters, to_webhook: bool, reason: str) -> None:
    assert find_imbalance(counters, persisted=True, to_webhook=to_webhook) == reason


@given(COUNTS, st.booleans())
def test_what_is_not_persisted_has_no_equation(counters: Counters, to_webhook: bool) -> None:
    counters = replace(counters, errors=counters.errors + counters.retried)

    assert find_imbalance(counters, persisted=False, to_webhook=to_webhook) is None
    broken = replace(counters, fetched=-1)
    assert find_imbalance(broken, persisted=False, to_webhook=to_webhook) == "fetched is below zero"


def test_stats_show_every_counter_and_the_rows_that_were_written() -> None:
    counters = Counters(pages=2, fetched=10, created=1, updated=2, unchanged=3, repeated=4, errors=4)
    started = datetime(2026, 1, 5, 10, 0, 0, 123_456, tzinfo=UTC)

    shown: dict[str, Any] = show_stats(
        counters,
        status="running",
        started_at=started,
        finished_at=None,
        lists=ListFacts(previous_run_date=started),
    )

    assert {name: shown[name] for name in COUNTERS} == asdict(counters)
    assert (shown["persisted"], shown["status"]) == (3, "running")
    assert (shown["started_at"], shown["finished_at"]) == ("2026-01-05T10:00:00.123Z", None)
    assert shown["previous_run_date"] == "2026-01-05T10:00:00.123Z"
