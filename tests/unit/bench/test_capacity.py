"""The tables of docs/scaling.md are what the arithmetic gives."""

import re

import pytest

from app.stack.commands import PROJECT_ROOT
from bench import capacity
from bench.capacity import Load


def test_page_shows_what_the_program_prints() -> None:
    page = (PROJECT_ROOT / "docs" / "scaling.md").read_text()

    shown = re.search(r"<!-- capacity -->\n(.*?)\n<!-- /capacity -->", page, re.DOTALL)

    assert shown is not None
    assert shown[1] == capacity.tables()


def test_twice_the_accounts_need_twice_of_everything() -> None:
    once, twice = capacity.need(Load(accounts=500)), capacity.need(Load(accounts=1_000))

    for name in once.__slots__:
        assert getattr(twice, name) == pytest.approx(2 * getattr(once, name))


def test_load_is_an_average_over_the_day() -> None:
    load = Load(accounts=3_600, records_per_account=86_400 * 7, changed_per_day=0.01)

    assert load.runs_per_second == 1
    assert load.changed_per_second == pytest.approx(load.records * 0.01 / 86_400)
    assert load.unchanged_per_second == pytest.approx(3_600)
