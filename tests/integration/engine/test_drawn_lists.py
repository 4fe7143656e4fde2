"""Upstreams drawn by chance: what is read of each is what the rules say, and nothing that it holds is ever deleted."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
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
pytestmark = pytest.mark.timeout(3600 if IS_LONG else 180)
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
@given(listing=drawn.any_listing(), tracks=st.booleans())
def test_any_list_is_read_as_the_rules_say(reader: Reader, listing: Listing, tracks: bool) -> None:
    reader.site = Site({(PATH, None): listing})

    found = Call(reader.source).read(listing, tracks=tracks)

    expected = reference(listing, tracks=tracks)
    assert (found.records, found.error, found.is_proven) == (expected.records, expected.error, expected.is_proven)
    assert found.warnings - {"unproven_end"} == expected.warnings
    assert len(reader.site.requests) == expected.requests


def jobs() -> st.SearchStrategy[Sequence[Branch]]:
    """Draw the parts of a job: ten upstreams at most."""
    return st.integers(1, PER_JOB).flatmap(lambda count: st.tuples(*(branches(f"r{n}") for n in range(count))))


def check(ran: Ran, held: set[str], resource: str, expected: Outcome) -> None:
    """Hold that a resource came to what it should, and lost nothing but what a complete run did not see."""
    gone = held - expected.records if expected.is_complete else set()
    stats = ran.stats(resource)
    assert sorted(ran.errors.get(resource, ())) == sorted(expected.errors), resource
    assert ran.deleted.get(resource, set()) == gone, resource
    assert ran.living.get(resource, set()) == (held | expected.records) - gone, resource
    assert stats["unproven"] == expected.unproven, resource


@settings(CHANCES, max_examples=LISTS // PER_JOB * 2)
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
        for resource, expected in branch.outcomes().items():
            check(second, first.living.get(resource, set()), resource, expected)
            holds = {id for (path, _), one in branch.after.items() if path == f"/{resource}" for id in one.ids}
            if branch.is_truthful:
                assert not second.deleted.get(resource, set()) & holds, resource
