"""Leases are prolonged beside the work, for as long as it lasts."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from app.engine.errors import StoreUnavailableError
from app.engine.runs.work import Claim, UnitDraft
from app.services.units.lease_keeper import LeaseKeeper
from tests.unit.services.service_world import FakeUnits

LEASE = 12.0


@dataclass
class Time:
    """A clock that moves as far as somebody pauses."""

    now: float = 0.0

    def tell(self) -> float:
        return self.now


@dataclass
class Pauses:
    """Lets the keeper's thread go on once for each permission."""

    permissions: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def pause(self, seconds: float) -> None:
        self.begun.release()
        self.permissions.acquire()

    def let_pass(self) -> None:
        """Let a pause end, and wait for the next one."""
        self.permissions.release()
        self.begun.acquire()


def claimed(units: FakeUnits, unit_id: str = "unit") -> Claim:
    units.add(UnitDraft(id=unit_id, resource_id="tickets"))
    claim = units.claim(unit_id)
    assert claim is not None
    return claim


@pytest.fixture
def units() -> FakeUnits:
    return FakeUnits()


@pytest.fixture
def time() -> Time:
    return Time()


def _pause_for_ever(_seconds: float) -> None:
    threading.Event().wait()


@pytest.fixture
def keeper(units: FakeUnits, time: Time) -> LeaseKeeper:
    return LeaseKeeper(
        lambda claim: units.keep(claim, lease_seconds=LEASE),
        lease_seconds=LEASE,
        pause=_pause_for_ever,
        monotonic=time.tell,
    )


def test_lease_is_prolonged_several_times_before_it_would_expire(
    keeper: LeaseKeeper, units: FakeUnits, time: Time
) -> None:
    with keeper.keeping(claimed(units)):
        for second in range(int(LEASE)):
            time.now = second
            keeper.prolong_due()

    assert units.kept == ["unit"] * 5


def test_lease_is_kept_no_longer_than_the_work_lasts(keeper: LeaseKeeper, units: FakeUnits, time: Time) -> None:
    with keeper.keeping(claimed(units)):
        pass
    time.now = LEASE

    keeper.prolong_due()

    assert units.kept == []


def test_lost_lease_is_not_asked_for_again(keeper: LeaseKeeper, units: FakeUnits, time: Time) -> None:
    with keeper.keeping(claimed(units)), keeper.keeping(claimed(units, "other")):
        units.lose("unit")
        time.now = LEASE
        keeper.prolong_due()
        units.rows["unit"].fencing_token -= 1
        time.now = 2 * LEASE
        keeper.prolong_due()

    assert units.kept == ["other", "other"]


def test_lease_whose_work_ends_while_it_is_prolonged_is_forgotten(
    keeper: LeaseKeeper, units: FakeUnits, time: Time
) -> None:
    keeping = keeper.keeping(claimed(units))
    keeping.__enter__()
    keep: Callable[..., bool] = units.keep

    def end_and_keep(claim: Claim, *, lease_seconds: float) -> bool:
        keeping.__exit__(None, None, None)
        return keep(claim, lease_seconds=lease_seconds)

    units.keep = end_and_keep  # type: ignore[method-assign]
    time.now = LEASE
    keeper.prolong_due()
    time.now = 2 * LEASE
    keeper.prolong_due()

    assert units.kept == ["unit"]


def test_thread_keeps_leases_and_ends_when_there_are_none(units: FakeUnits, time: Time) -> None:
    pauses = Pauses()
    keeper = LeaseKeeper(
        lambda claim: units.keep(claim, lease_seconds=LEASE),
        lease_seconds=LEASE,
        pause=pauses.pause,
        monotonic=time.tell,
    )

    others = set(threading.enumerate())

    for number in (1, 2):
        with keeper.keeping(claimed(units, f"unit-{number}")):
            pauses.begun.acquire()
            time.now += LEASE
            pauses.let_pass()
        (thread,) = [one for one in threading.enumerate() if one.name == "ferryman-leases" and one not in others]
        pauses.permissions.release()
        thread.join()

    assert units.kept == ["unit-1", "unit-2"]


def test_thread_outlives_a_database_that_is_away(
    units: FakeUnits, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    pauses = Pauses()
    keeper = LeaseKeeper(
        lambda claim: units.keep(claim, lease_seconds=LEASE),
        lease_seconds=LEASE,
        pause=pauses.pause,
        monotonic=time.tell,
    )
    keep: Callable[..., bool] = units.keep

    def fail(claim: Claim, *, lease_seconds: float) -> bool:
        units.keep = keep  # type: ignore[method-assign]
        raise StoreUnavailableError

    units.keep = fail  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING), keeper.keeping(claimed(units)):
        pauses.begun.acquire()
        for _ in range(2):
            time.now += LEASE
            pauses.let_pass()
    pauses.permissions.release()

    assert units.kept == ["unit"]
    assert [record.message for record in caplog.records] == ["leases could not be prolonged"]
