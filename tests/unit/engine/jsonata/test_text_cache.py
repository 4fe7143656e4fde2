"""Compiled texts are kept up to a length in all, however few or many there are."""

import resource

from app.engine.jsonata import expressions
from app.engine.jsonata.expressions import cache_up_to


def test_a_text_is_looked_at_once_while_it_is_kept() -> None:
    seen: list[str] = []
    cached = cache_up_to(10)(lambda text: seen.append(text) or text.upper())

    results = [cached(text) for text in ("abcd", "efgh", "abcd", "ijkl", "abcd", "efgh")]

    assert results == ["ABCD", "EFGH", "ABCD", "IJKL", "ABCD", "EFGH"]
    assert seen == ["abcd", "efgh", "ijkl", "efgh"]


def test_a_text_beyond_the_bound_is_not_kept_and_leaves_the_others_room() -> None:
    seen: list[str] = []
    cached = cache_up_to(10)(lambda text: seen.append(text) or text)

    cached("a" * 11)
    cached("b")
    cached("b")

    assert seen == ["a" * 11, "b"]


def test_many_long_expressions_take_little_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for number in range(30):
        expressions.parse(f"[{'a.b,' * 24_900}{number}]")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 1024  # 36 MB each.
