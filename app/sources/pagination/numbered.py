"""Lists whose pages are counted: by number, by offset, by range.

Such a list goes on until an empty page, or until the upstream says that it is over: a short page proves nothing, since
servers cap their pages and filter them afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from app.engine.integrations.pagination import Numbered, PagePagination, RangePagination
from app.engine.json_types import JSON, JsonObject
from app.sources.pagination import ends, limits, positions, signs
from app.sources.pagination.positions import ToldRange
from app.sources.pagination.signs import Said
from app.sources.pagination.state import ListState, error_json, error_of
from app.sources.pagination.values import PageAnswer, PageAsk, PageRefusal, PageTurn

_NO_RANGE = ToldRange()
_REACH: Final = 4
"""Pages of a list whose end is known that may be asked for, for each request that may be under way."""


@dataclass(frozen=True, slots=True)
class NumberedList:
    """One such list."""

    pagination: Numbered
    query: JsonObject
    """What the request holds already."""

    def ask(self, state: ListState | None) -> PageAsk:
        """Return how to ask for the next page."""
        return positions.ask(self.pagination, self.query, self._begun(state).next)

    def ahead(self, state: ListState, depth: int) -> Iterator[JSON]:
        """Give the position of the next page, and those of the pages that are most likely behind it.

        They reach ``depth`` pages, and half as many as there were: so many requests are lost behind an end that nobody
        knows of. Where it is known they reach further, so that one slow answer does not hold up those behind it.
        """
        yield state.next
        if self._is_in_turn(state):
            return
        step = 1 if isinstance(self.pagination, PagePagination) else state.size or 1
        left = self._pages_left(state)
        reach = min(depth, state.pages // 2) if left is None else min(_REACH * depth, left)
        for number in range(1, reach):
            yield int(state.next) + number * step

    def total(self, answer: PageAnswer) -> int | None:
        """Return the total that an answer tells, unless it is an estimate."""
        own = self.pagination.signs
        told = positions.told_range(self.pagination, answer).total
        if told is not None or own.is_estimate:
            return told
        return signs.read(own, answer.document, answer.headers, status=answer.status, is_first=False).total

    def turn(self, state: ListState | None, answer: PageAnswer, *, decides_deletions: bool) -> PageTurn:
        """Take a page in; raise SourceError for what can not be read of it."""
        came, own = self._begun(state), self.pagination.signs
        told = positions.told_range(self.pagination, answer)
        said = signs.read(own, answer.document, answer.headers, status=answer.status, is_first=state is None)
        taken = came.took(answer.records, total=said.total if told.total is None else told.total, told_pages=said.pages)
        if answer.records:
            return self._filled(came, taken, answer.records, said, told)
        return self._empty(came, taken, said, told, decides_deletions=decides_deletions)

    def refused(self, state: ListState | None, refusal: PageRefusal) -> PageTurn | None:
        """Take a refusal in; None where it is an error of the list."""
        came, own = self._begun(state), self.pagination.signs
        if signs.is_over(own, refusal.document, refusal.headers, status=refusal.status):
            return ends.end(own, came, [], "stop_when")
        is_beyond = isinstance(self.pagination, RangePagination) and refusal.status == 416
        if is_beyond and (total := positions.content_range(refusal.headers)[1]) is not None:
            return ends.end(own, replace(came, total=total), [], "content_range")
        if state is None:
            return ends.guess(own, came, "refused") if is_beyond else None
        if refusal.status not in ends.REFUSALS or came.is_promised or (came.is_short and not own.is_estimate):
            return None
        if came.refused or came.is_confirming:
            return ends.guess(own, came, "refused")
        following = positions.past(self.pagination, came, self.query, _NO_RANGE)
        if following == came.next:
            return None
        refused = error_json(refusal.error, came.next)
        return ends.go_on(replace(came, next=following, asked=came.asked + 1, refused=refused), [])

    def _is_in_turn(self, state: ListState) -> bool:
        """Whether only the answer to the next request tells where the list goes on, or must be waited for."""
        is_doubtful = bool(state.refused or state.empty or state.is_confirming or state.pages < 2)
        return is_doubtful or state.asked < state.alone or not isinstance(state.next, int)

    def _pages_left(self, state: ListState) -> int | None:
        """Return how many pages there are by what the upstream has told; None where it has not."""
        if state.is_part:
            return None
        if state.told_pages is not None:
            return max(1, state.told_pages - state.asked)
        if state.total is None or self.pagination.signs.is_estimate or not state.size:
            return None
        return max(1, -(-(state.total - state.got) // state.size))

    def _begun(self, state: ListState | None) -> ListState:
        return positions.first(self.pagination, self.query) if state is None else state

    def _filled(self, came: ListState, taken: ListState, records: list[JSON], said: Said, told: ToldRange) -> PageTurn:
        own = self.pagination.signs
        if came.refused:
            return ends.fail(error_of(came.refused), records, replace(came, next=came.refused["at"], refused=None))
        if taken.seen == came.seen:
            return ends.repeated(own, came, len(records))
        has_pages = said.pages is not None and not came.is_part  # else this page would have been the last one
        is_promised = bool(said.has_more) or told.following is not None or has_pages
        reason = self._declared_end(came, taken, said, told)
        if reason is None and not is_promised and not (taken.is_short and not own.is_estimate):
            reason = self._short_end(came, len(records))
        if reason is not None:
            return ends.end(own, taken, records, reason)
        following = positions.behind(self.pagination, came.next, len(records), told)
        return ends.go_on(replace(taken, next=following, is_promised=is_promised), records)

    def _empty(
        self, came: ListState, taken: ListState, said: Said, told: ToldRange, *, decides_deletions: bool
    ) -> PageTurn:
        own = self.pagination.signs
        if came.refused:
            return ends.guess(own, taken, "refused")
        if reason := self._declared_end(came, taken, said, told):
            return ends.end(own, taken, [], reason)
        if taken.is_met and not own.is_estimate:
            return ends.end(own, taken, [], "total")
        following = positions.past(self.pagination, came, self.query, told)
        if said.has_more or told.following is not None or self._is_within(came, taken, said):
            promised = replace(taken, next=following, empty=came.empty + 1, is_promised=True)
            return ends.go_on_past_empty(own, came, promised)
        is_confirmed = came.is_confirming or (taken.total is not None and not own.is_estimate)
        if decides_deletions and not is_confirmed and following != came.next:
            return ends.go_on(replace(taken, next=following, is_confirming=True), [])
        return ends.end(own, taken, [], "empty_page")

    def _declared_end(self, came: ListState, taken: ListState, said: Said, told: ToldRange) -> str | None:
        """Return what of the answer says that this is the end."""
        if said.is_over:
            return "stop_when"
        if said.has_more is not None:
            return None if said.has_more else "no_more"
        if taken.is_met and not self.pagination.signs.is_estimate:
            return "total"
        if said.pages is not None and taken.asked >= said.pages and not came.is_part:
            return "total_pages"
        if told.is_whole:
            return "whole_answer"
        return "no_cursor" if isinstance(came.next, str) and told.following is None else None

    def _short_end(self, came: ListState, count: int) -> str | None:
        """Return whether a page's length ends the list, where the API documents that."""
        limit = limits.of(self.pagination, self.query)
        if not self.pagination.short_page_ends or limit is None:
            return None
        if came.size is not None:
            # A server that capped its first page has told its own limit by that.
            return "short_page" if count < min(limit, came.size) else None
        # A first page of a round length may be such a cap: one more request tells.
        return "short_page" if count < limit and count % 10 and count % 25 else None

    def _is_within(self, came: ListState, taken: ListState, said: Said) -> bool:
        """Whether what the upstream has told of reaches beyond an empty page."""
        if said.pages is not None and not came.is_part:
            return taken.asked < said.pages
        if taken.total is None or not taken.is_short or self.pagination.signs.is_estimate:
            return False
        step = positions.step(self.pagination, came, self.query)
        if isinstance(self.pagination, PagePagination):
            return taken.asked * step < taken.total
        return isinstance(came.next, int) and came.next + step < taken.total
