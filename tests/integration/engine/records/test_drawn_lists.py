"""Upstreams drawn by chance: what is read of each is what the rules say, and nothing that it holds is ever deleted."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.sources.http_source import HttpSource
from tests.support.listings import drawn
from tests.support.listings.branches import Branch, Outcome, branches
from tests.support.listings.customer import Customer, Ran
from tests.support.listings.listing import Listing
from tests.support.listings.reading import PATH, SETTINGS, Call, reference
from tests.support.listings.site import Answer, Asked, Site
from tests.support.listings.transports import around
from tests.support.pump_database import PumpDatabase

IS_LONG: Final = os.environ.get("PROOFS") == "long"
pytestmark = pytest.mark.timeout(3600 if IS_LONG else 600)
LISTS: Final = 2000 if IS_LONG else 100
PER_JOB: Final = 10
CHANCES: Final = settings(
    deadline=None,
    derandomize=not IS_LONG,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


class Reader:
    """Reads one simulated list after the other by one source."""

    def __init__(self) -> None:
        self.site = Site({})
        self.source = HttpSource(SETTINGS, around=lambda live: around(self._answer, live))

    def _answer(self, asked: Asked) -> Answer:
        return self.site.answer(asked)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    one = Reader()
    yield one
    one.source.close()


@settings(CHANCES, max_examples=LISTS)
@given(listing=drawn.any_moving_listing(), tracks=st.booleans())
def test_any_list_is_read_as_the_rules_say(reader: Reader, listing: Listing, tracks: bool) -> None:
    reader.site = Site({(PATH, None): listing})

    found = Call(reader.source).read(listing, tracks=tracks)

    expected = reference(listing, tracks=tracks)
    if expected.error == "repeated_cursor":
        # A circle is noticed with a memory that does not grow: later, after some of its pages came again.
        assert found.error in ("repeated_cursor", "empty_pages")
        assert set(found.records) == set(expected.records)
        assert len(reader.site.requests) <= 4 * expected.requests
        return
    expected.requests, found.requests = 0, len(reader.site.requests) - expected.requests
    assert found == expected


@settings(CHANCES, max_examples=LISTS)
@given(listing=drawn.any_listing(), tracks=st.booleans(), most=st.integers(2, 12))
def test_any_list_is_read_alike_side_by_side(reader: Reader, listing: Listing, tracks: bool, most: int) -> None:
    reader.site = Site({(PATH, None): listing})

    found = Call(reader.source).read(listing, tracks=tracks, most=most)

    expected = reference(listing, tracks=tracks)
    if expected.error == "repeated_cursor":
        assert found.error in ("repeated_cursor", "empty_pages")
        assert set(found.records) == set(expected.records)
        return
    if "list_changed" in found.warnings - expected.warnings or listing.told in ("growing", "shrinking"):
        # Each page declares another total: what was requested out of turn is read again, and nothing else is different.
        assert listing.told in ("growing", "shrinking")
        found.warnings.discard("list_changed")
        expected.warnings.discard("list_changed")
        found.records, expected.records = (list(dict.fromkeys(one.records)) for one in (found, expected))
    # Pages are requested that no list in turn reaches, and those of a stretch are checked.
    expected.requests = 0
    assert found == expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What a resource came to."""

    resource: str
    errors: Sequence[str]
    unproven: int
    living: Sequence[str]
    deleted: Sequence[str]


def jobs() -> st.SearchStrategy[Sequence[Branch]]:
    """Draw the parts of a job: ten upstreams at most."""
    return st.integers(PER_JOB // 2, PER_JOB).flatmap(
        lambda count: st.tuples(*(branches(f"r{n}") for n in range(count)))
    )


def circles(codes: Sequence[str]) -> list[str]:
    """Take circles of empty pages for what they are, whichever of the two is noticed first."""
    return sorted("repeated_cursor" if code == "empty_pages" else code for code in codes)


def check(ran: Ran, held: set[str], resource: str, expected: Outcome) -> None:
    """Hold that a resource came to what it should, and lost nothing but what a complete run did not see."""
    gone = held - expected.records if expected.is_complete else set()
    found = Came(
        resource=resource,
        errors=circles(ran.errors.get(resource, ())),
        unproven=ran.stats(resource)["unproven"],
        living=sorted(ran.living.get(resource, ())),
        deleted=sorted(ran.deleted.get(resource, ())),
    )
    assert found == Came(
        resource=resource,
        errors=circles(expected.errors),
        unproven=expected.unproven,
        living=sorted((held | expected.records) - gone),
        deleted=sorted(gone),
    )


# A job holds some twenty lists; to make one that fails smaller takes minutes.
@settings(CHANCES, max_examples=LISTS // 12, phases=tuple(Phase) if IS_LONG else (Phase.explicit, Phase.generate))
@given(job=jobs())
def test_nothing_that_an_upstream_holds_is_deleted(pump_database: PumpDatabase, job: Sequence[Branch]) -> None:
    before: dict[Any, Listing] = {place: one for branch in job for place, one in branch.before.items()}
    after: dict[Any, Listing] = {place: one for branch in job for place, one in branch.after.items()}
    methods = {name: method for branch in job for name, method in branch.methods.items()}

    with Customer(pump_database, [item for branch in job for item in branch.items], methods) as customer:
        first = customer.run(Site(before))
        second = customer.run(Site(after))

    assert first.errors == {}
    assert first.deleted == {}
    for branch in job:
        holds = branch.held()
        for resource, expected in branch.outcomes().items():
            check(second, first.living.get(resource, set()), resource, expected)
            assert not branch.is_truthful or not second.deleted.get(resource, set()) & holds[resource]
