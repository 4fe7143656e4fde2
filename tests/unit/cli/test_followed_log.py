"""The log as it is followed: each entry once, in the order of what happened."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from app.cli.log import new_entries


def entry(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, **fields}


def follow(*answers: Sequence[dict[str, Any]], first: int, count: int) -> list[str]:
    waiting = list(answers)
    entries = new_entries(lambda: waiting.pop(0), first, pause=lambda seconds: None)
    return [found["id"] for found in islice(entries, count)]


def test_last_few_come_first_and_then_what_is_new() -> None:
    old = [entry("c"), entry("b"), entry("a")]

    assert follow(old, old, [entry("e"), entry("d"), *old], first=2, count=4) == ["b", "c", "d", "e"]


def test_entry_that_comes_to_stand_among_older_ones_is_told() -> None:
    assert follow([entry("b"), entry("a")], [entry("b"), entry("late"), entry("a")], first=0, count=1) == ["late"]


def test_delivery_is_told_again_once_its_status_is_another_one() -> None:
    waiting, taken = entry("a", delivery_status="pending"), entry("a", delivery_status="delivered")

    assert follow([waiting], [waiting], [taken], first=1, count=2) == ["a", "a"]
