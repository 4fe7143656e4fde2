"""When a unit was worked on, what it waited for, and how that reads."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import UnitKind
from app.engine.status import UnitStatus
from app.services.dashboard.unit_spans import Spell, UnitSpan
from tests.unit.services.service_fakes import FakeClock

NOW = FakeClock().now()


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


SPAN = UnitSpan(
    id="u",
    resource="users",
    kind=UnitKind.FETCH,
    status=UnitStatus.READY,
    requests=1,
    pages=0,
    attempts=0,
    created_at=NOW,
    updated_at=NOW,
    wake_at=None,
    lease_expires_at=None,
    slices=0,
    daemon=None,
    held_since=None,
    worked=(),
    is_cut=False,
)
LATER = NOW + timedelta(hours=1)
BEFORE = NOW - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "waits for a daemon"),
        ({"wake_at": LATER}, "waits for the upstream's limit until 2026-03-01 13:00:00 UTC"),
        ({"wake_at": LATER, "attempts": 2}, "2 attempts failed; it is tried again at 2026-03-01 13:00:00 UTC"),
        (
            {"wake_at": LATER, "kind": UnitKind.DELIVERY},
            "waits for the webhook's receiver, and is tried again at 2026-03-01 13:00:00 UTC",
        ),
        ({"status": UnitStatus.LEASED, "lease_expires_at": LATER}, "a daemon works on it"),
        (
            {"status": UnitStatus.LEASED, "lease_expires_at": BEFORE},
            "its daemon let its lease expire 1 s ago: another daemon takes it up",
        ),
        (
            {"status": UnitStatus.LEASED, "lease_expires_at": BEFORE, "daemon": "eu-1"},
            "daemon eu-1 let its lease expire 1 s ago: another daemon takes it up",
        ),
        ({"status": UnitStatus.LEASED, "lease_expires_at": LATER, "daemon": "eu-1"}, "daemon eu-1 works on it"),
        (
            {"wake_at": LATER, "worked": [Spell(begun_at=BEFORE, ended_at=NOW, end=SpellEnd.ACCOUNT)]},
            "its account is inactive; looked at again at 2026-03-01 13:00:00 UTC",
        ),
        ({"status": UnitStatus.BLOCKED}, "waits for the webhook's receiver"),
        ({"status": UnitStatus.IDLE}, "nothing to deliver now"),
        ({"status": UnitStatus.DONE}, "done"),
        ({"status": UnitStatus.CANCELLED}, "the run ended first"),
        ({"status": UnitStatus.FAILED}, "given up"),
    ],
)
def test_unit_says_in_words_what_it_waits_for(changes: dict[str, object], expected: str) -> None:
    assert replace(SPAN, **changes).describe_wait(NOW, has_begun=True) == expected  # type: ignore[arg-type]


def test_unit_of_a_resumed_run_waits_for_its_start() -> None:
    blocked = replace(SPAN, status=UnitStatus.BLOCKED)

    assert blocked.describe_wait(NOW, has_begun=False) == "waits until the run starts"


def spell(begun: float, ended: float, end: SpellEnd) -> Spell:
    return Spell(begun_at=ago(begun), ended_at=ago(ended), end=end)


SPELLS = (spell(95, 90, SpellEnd.LIMIT), spell(60, 60, SpellEnd.RECEIVER), spell(30, 20, SpellEnd.TURN))
"""Of a unit that was made 100 s ago."""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            [
                "waited 5.0 s for a daemon",
                "worked on for 5.0 s",
                "waited 30.0 s for the upstream's limit",
                "waited 30.0 s for the webhook's receiver",
                "worked on for 10.0 s",
                "waited 20.0 s for a daemon",
            ],
        ),
        (
            {"held_since": ago(2), "worked": SPELLS[2:], "is_cut": True, "status": UnitStatus.LEASED},
            ["worked on for 10.0 s", "waited 18.0 s for a daemon", "worked on for 2.0 s"],
        ),
        (
            {"held_since": ago(90), "updated_at": ago(10), "worked": (), "status": UnitStatus.DONE},
            ["waited 10.0 s for a daemon", "worked on for 1 min 20 s"],
        ),
        ({"created_at": ago(7500), "worked": ()}, ["waited 2 h 5 min for a daemon"]),
    ],
    ids=["ready", "older ones not kept", "done", "never worked on"],
)
def test_time_of_a_unit_is_work_and_waits(changes: dict[str, object], expected: list[str]) -> None:
    span = replace(SPAN, **{"created_at": ago(100), "worked": SPELLS, **changes})  # type: ignore[arg-type]

    stretches = span.list_stretches(NOW)

    assert [one.describe() for one in stretches] == expected
    assert all(one.ended_at == next_one.begun_at for one, next_one in itertools.pairwise(stretches))


def test_waits_are_summed_by_what_they_were_for_and_short_ones_left_out() -> None:
    span = replace(SPAN, created_at=ago(95.5), worked=SPELLS)

    assert span.describe_waits(NOW) == (
        "30.0 s for the upstream's limit, 30.0 s for the webhook's receiver, 20.0 s for a daemon"
    )
