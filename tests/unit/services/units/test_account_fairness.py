"""Units of one account take turns; nobody throws messages about."""

from dataclasses import replace

import pytest

from app.engine.runs.work import UnitDraft
from app.engine.status import UnitStatus
from app.services.units import fetch_worker
from app.services.units.account_fairness import AccountFairness
from app.services.units.unit_worker import UnitWorker
from tests.unit.services.service_fakes import PENDING, page
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_world import ANY_TERMS


class Ticks:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def here(ticks: Ticks) -> Setting:
    """Two units, of which one may be worked on at once."""
    made = setting(units_per_account=1, slice_seconds=0.0)
    made.fairness = AccountFairness(made.units, made.worker_context(), monotonic=ticks)
    made.add_unit()
    made.units.add(UnitDraft(id="other", resource_id="id-of-tickets", elements=[{}]))
    made.source.script(page({"id": 1}))
    return made


def worker(here: Setting) -> UnitWorker:
    """Return a worker of the daemon that has the leases which ``here.claim`` takes."""
    made = here.worker()
    made._terms = replace(made._terms, owner=ANY_TERMS.owner)
    return made


def test_unit_that_finds_no_room_is_passed_on_now_and_then(here: Setting, ticks: Ticks) -> None:
    here.claim("unit")

    for now in (0.0, 0.1, 0.3):
        ticks.now = now
        worker(here).work("other")

    assert here.dispatcher.unit_ids == ["other", "other"]
    assert here.units.rows["other"].status is UnitStatus.READY


def test_slice_may_go_on_while_a_worker_is_idle_and_no_unit_of_its_account_waits(here: Setting) -> None:
    account = here.context().account.id
    found = [here.fairness.may_go_on(account)]
    here.fairness.has_idle_worker = lambda: True
    found.append(here.fairness.may_go_on(account))
    here.claim("unit")
    worker(here).work("other")

    assert [*found, here.fairness.may_go_on(account), here.fairness.may_go_on("another")] == [False, True, False, True]


def test_unit_that_somebody_holds_is_not_passed_on(here: Setting) -> None:
    here.claim("unit")

    worker(here).work("unit")

    assert here.dispatcher.wake_ups == []


def test_slice_gives_its_place_to_the_unit_that_waits(here: Setting) -> None:
    claim = here.claim("unit")
    worker(here).work("other")

    here.fetching().work(claim, here.context())

    assert here.units.rows["unit"].status is UnitStatus.READY
    assert here.dispatcher.unit_ids == ["other", "other"]


def test_lost_lease_gives_its_place_away_too(here: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_worker, "_WAIT_SECONDS", 0.001)
    here = setting(lease_seconds=0.0, units_per_account=1)
    here.add_unit()
    here.units.add(UnitDraft(id="other", resource_id="id-of-tickets", elements=[{}]))
    here.source.script(PENDING)
    claim = here.claim("unit")
    worker(here).work("other")
    here.units.lose("unit")

    here.fetching().work(claim, here.context())

    assert here.dispatcher.unit_ids == ["other", "other"]


def test_account_is_no_longer_crowded_when_nobody_waits(here: Setting) -> None:
    claim = here.claim("unit")
    worker(here).work("other")
    here.units.rows["other"].status = UnitStatus.DONE
    here.units.lose("unit")
    here.fetching().work(claim, here.context())
    here.units.rows["unit"].status = UnitStatus.READY

    here.fetching().work(here.claim("unit"), here.context())

    assert here.dispatcher.unit_ids == ["other", "unit"]
