"""Runs whose list is cut into parts: daemons die between them, increments go on, and the books balance."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pytest

from app.engine.json_types import JsonObject
from tests.support.listings.customer import Customer, Ran
from tests.support.listings.site import Answer, Asked, Site
from tests.support.pump_database import PumpDatabase
from tests.support.workspace import listed

PAGE: Final = 5
START: Final = 1_600_000_000
SPAN: Final = 1_000_000
RANGE: Final[JsonObject] = {"by": "time", "from": "after", "to": "before", "format": "epoch", "start": START}


class RangedSite(Site):
    """A list that can be limited to a range of times, and returns no more than a cap."""

    def __init__(self, created: Sequence[int], *, cap: int | None = None, tells_total: bool = True) -> None:
        super().__init__({})
        self.created = created
        self.cap = cap
        self.tells_total = tells_total

    def answer(self, asked: Asked) -> Answer:
        self.requests.append(asked)
        lower, upper = int(asked.query.get("after") or 0), int(asked.query.get("before", 10**18))
        found = [{"id": f"r{at}", "created": one} for at, one in enumerate(self.created) if lower <= one < upper]
        total, found = len(found), found[: self.cap]
        start = int(asked.query.get("cursor", 0))
        end = start + PAGE
        body: JsonObject = {"items": found[start:end], "next": str(end) if end < len(found) else None}
        return Answer(document={**body, "total": total} if self.tells_total else body)

    @property
    def asked_of_parts(self) -> Counter[tuple[str, ...]]:
        """Count the requests for each page of each part."""
        return Counter(
            tuple(str(one.query.get(name)) for name in ("after", "before", "cursor")) for one in self.requests
        )


def method(**partition: Any) -> JsonObject:
    paging = {"format": "cursor", "config": {"cursor_path": "next", "total_path": "total?"}}
    return {"path": "/things", "response_path": "items", "pagination": paging, "partition": {**RANGE, **partition}}


def spread(count: int) -> list[int]:
    return [START + number * SPAN // count for number in range(count)]


def customer(database: PumpDatabase, item: JsonObject | None = None, **partition: Any) -> Customer:
    return Customer(database, [item or listed("things")], {"things": method(**partition)}, requests_per_account=8)


def ids_of(ran: Ran) -> set[str]:
    return ran.living.get("things", set())


def assert_whole(ran: Ran, count: int) -> None:
    """Claim that a run has all records, that its books balance, and that it shows how the list was read."""
    stats = ran.stats("things")
    assert (ran.run.status, ran.errors, len(ids_of(ran))) == ("completed", {}, count)
    assert (stats["created"], stats["fetched"] - stats["repeated"]) == (count, count)
    assert stats["reading"]["parts"] == "partition"


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 8, 12])
def test_a_death_between_parts_loses_nothing_and_repeats_what_was_under_way(
    pump_database: PumpDatabase, number: int
) -> None:
    site = RangedSite(spread(400))

    with customer(pump_database) as one:
        ran = one.run(site, kill_before=number)

    assert_whole(ran, 400)
    assert ran.stats("things")["expected"] == 400
    repeats = sum(times - 1 for times in site.asked_of_parts.values())
    # Of up to eight parts at once, the page that was not written and the one behind it.
    assert repeats <= (2 * 3 * 8 if number else 0)


@pytest.mark.parametrize("number", [0, 4])
@pytest.mark.parametrize("tells_total", [True, False])
def test_parts_that_are_capped_are_cut_until_they_are_whole(
    pump_database: PumpDatabase, tells_total: bool, number: int
) -> None:
    site = RangedSite([START + SPAN - 300 + at for at in range(300)], cap=40, tells_total=tells_total)

    with customer(pump_database, max_results=40) as one:
        ran = one.run(site, kill_before=number)

    assert_whole(ran, 300)


@pytest.mark.parametrize("tells_total", [True, False])
def test_ids_are_a_range_too(pump_database: PumpDatabase, tells_total: bool) -> None:
    site = RangedSite(range(1, 501), tells_total=tells_total)

    with customer(pump_database, by="number", format="number", start=1, end=400) as one:
        ran = one.run(site)

    assert_whole(ran, 500)


def test_what_has_vanished_is_noticed_over_all_parts(pump_database: PumpDatabase) -> None:
    before, after = spread(400), spread(400)[:-7]

    with customer(pump_database, listed("things", delete_tracking="soft")) as one:
        one.run(RangedSite(before))
        ran = one.run(RangedSite(after))

    assert len(ran.deleted["things"]) == 7
    assert ran.stats("things")["deleted"] == 7


def test_an_increment_asks_for_its_own_range_only(pump_database: PumpDatabase) -> None:
    increment = listed("things", query={"after": "{{args.since}}"})
    since = START + SPAN // 2
    site = RangedSite(spread(400))

    with customer(pump_database, increment) as one:
        ran = one.run(site, args={"since": str(since)})

    assert len(ids_of(ran)) == 200
    assert all(int(one.query["after"]) >= since for one in site.requests)


def test_a_part_that_can_not_be_cut_is_an_error_that_deletes_nothing(pump_database: PumpDatabase) -> None:
    tracked = listed("things", delete_tracking="soft")

    with customer(pump_database, tracked, max_results=40) as one:
        one.run(RangedSite(spread(30)))
        ran = one.run(RangedSite([START + 7] * 60, cap=40))

    assert set(ran.errors["things"]) == {"partition"}
    assert ran.deleted == {}
