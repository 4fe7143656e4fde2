"""What one kind of list looks like to who reads it page by page: what the tests serve and expect.

A ``Kind`` makes, for one page of a list, the answer that has a next page, every documented form of the last answer
(with the code of its proof), answers that contradict themselves, and the request that follows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class At:
    """One page of a list of three."""

    number: int
    """From 0."""
    before: int
    """The records of the pages before."""
    records: list[Any]
    total: int
    path: str
    """Where the records are."""
    first: Json
    """The request of the first page."""
    url: str
    """The upstream's."""

    def body(self, **more: Any) -> Any:
        """Put the records where the API does, with what else it says."""
        if not self.path:
            return self.records
        outer, _, inner = self.path.partition(".")
        held = {inner: self.records} if inner else self.records
        told = {name: value for name, value in more.items() if name != outer}
        return {outer: {**held, **more.get(outer, {})} if isinstance(held, dict) else held, **told}

    def asked(self, **query: Any) -> Json:
        """Give the first page's request with more in its query."""
        return {**self.first, "query": {**self.first["query"], **{name: str(value) for name, value in query.items()}}}


Make = Callable[[At], Answer]


@dataclass(frozen=True, kw_only=True)
class Kind:
    more: Make | None
    """The answer of a page that is not the last; None where the API gives everything at once."""
    following: Callable[[At], Json] = lambda at: at.first
    """The request behind such a page."""
    lasts: Mapping[str, tuple[str, Make]]
    """Each form of the last answer, with the code of the end that it proves."""
    broken: Mapping[str, Make] = field(default_factory=dict)
    """Answers that promise more and lead nowhere."""
    strange: Mapping[str, Make] = field(default_factory=dict)
    """First answers that are not of this kind: the API paginates in another way than was asked for."""
    is_done_by_empty_pages: bool = False
    """Two empty pages end the list, which says nothing itself."""
    record: Callable[[int], Any] = lambda number: {"id": f"r{number}", "Id": f"r{number}", "ts": f"{number}.0"}


def says(**more: Any) -> Make:
    return lambda at: Answer(body=at.body(**more))
