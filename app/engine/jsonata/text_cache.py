"""Keep what a function makes of texts, bounded by the length of these texts: what it makes is about as large.

A cache that is bounded by a number alone can be filled with the largest by whoever writes them.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

T = TypeVar("T")


def cached_up_to(most_characters: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Keep results for so many characters of text, those that were used last; safe to use from several threads."""

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        kept: OrderedDict[str, T] = OrderedDict()
        lock = threading.Lock()
        characters = 0

        @wraps(function)
        def cached(text: str) -> T:
            nonlocal characters
            with lock:
                if text in kept:
                    kept.move_to_end(text)
                    return kept[text]
            made = function(text)
            with lock:
                characters += 0 if text in kept else len(text)
                kept[text] = made
                while characters > most_characters:
                    characters -= len(kept.popitem(last=False)[0])
            return made

        return cached

    return decorate
