"""Exchanges as the documents print them: ``>`` is a request, ``<`` its answer, other marks say what came of it."""

import re
from dataclasses import dataclass

_HEADER = re.compile(r"\[([\w-]+): ([^\]]*)\] ?")


@dataclass(frozen=True)
class Line:
    """One line of an exchange: ``> METHOD target`` or ``< status``, headers in brackets, a body."""

    mark: str
    words: list[str]
    headers: dict[str, str]
    body: str


def read(text: str) -> Line:
    """Read a request or an answer."""
    mark, rest = text[0], text[2:]
    count = 2 if mark == ">" else 1
    *words, rest = (rest + " ").split(" ", count)
    headers = {}
    while match := _HEADER.match(rest):
        headers[match[1]] = match[2]
        rest = rest[match.end() :]
    return Line(mark, words, headers, rest.strip())
