"""Lists whose pages each lead to the next one: by a cursor, an address, or what an expression makes of an answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from app.engine.config.reader import name_type
from app.engine.integrations.pagination import CursorPagination, DynamicPagination, Led, LinkHeaderPagination, NextIs
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED
from app.engine.record_errors import SourceError
from app.sources.pagination import computed, ends, limits, links, next_links, signs
from app.sources.pagination.signs import Said
from app.sources.pagination.state import ListState, followed, text_of
from app.sources.pagination.values import PageAnswer, PageAsk, PageRefusal, PageTurn
from app.sources.request_parts import bodies

_LONGEST_LEAD: Final = 64 * 1024
"""As much as a header may have: a longer one is kept with each page, and takes seconds to check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPageLead:
    """Where an answer says that the list goes on."""

    value: JSON = None
    """None: nowhere."""
    reason: str = "no_cursor"
    """Why it leads nowhere."""
    suspicion: SourceError | None = None
    """It leads nowhere, and looks as if it should."""


_NOWHERE: Final = NextPageLead()


@dataclass(frozen=True, slots=True)
class LedList:
    """One such list."""

    pagination: Led
    query: JsonObject
    """What the request holds already."""
    request: JsonObject
    """What expressions see of the request."""
    plain: Callable[[JSON], JSON]
    """Takes secrets out of a cursor, which is stored."""

    def ask(self, state: ListState | None) -> PageAsk:
        """Return how to ask for the next page; raise SourceError ``expression``."""
        if isinstance(self.pagination, DynamicPagination):
            return computed.ask(self.pagination, state, self.request)
        added = limits.added(self.pagination, self.query)
        place = getattr(self.pagination, "place", None)
        if state is None:
            return PageAsk(query=added) if place is None else limits.placed(place, added)
        value = state.next
        address = next_links.address(value, requested=self._url, next_is=self._next_is)
        if address is not None or isinstance(self.pagination, LinkHeaderPagination):
            return PageAsk(address=address or str(value))
        return limits.placed(self.pagination.place, {**added, self.pagination.cursor_param: value})

    def turn(self, state: ListState | None, answer: PageAnswer) -> PageTurn:
        """Take a page in; raise SourceError for what can not be read of it."""
        came, own = state or ListState(), self.pagination.signs
        said = signs.read(own, answer.document, answer.headers, status=answer.status, is_first=state is None)
        taken = came.took(answer.records, total=said.total)
        if answer.records and taken.seen == came.seen:
            return ends.repeated(own, came, len(answer.records))
        if came.is_asked_again and answer.records:
            return ends.fail(_other_page(came), answer.records, came)
        return self._led(came, taken, answer.records, said, self._lead(came, answer))

    def refused(self, state: ListState | None, refusal: PageRefusal) -> PageTurn | None:
        """Take a refusal in; None where it is an error of the list: there is no position behind it to ask for."""
        came, own = state or ListState(), self.pagination.signs
        if signs.is_over(own, refusal.document, refusal.headers, status=refusal.status):
            return ends.end(own, came, [], "stop_when")
        is_complete = came.is_met and not own.is_estimate
        return ends.end(own, came, [], "total") if is_complete and refusal.status in ends.REFUSALS else None

    def _led(self, came: ListState, taken: ListState, records: list[JSON], said: Said, lead: NextPageLead) -> PageTurn:
        own = self.pagination.signs
        if said.is_over or said.has_more is False:
            return ends.end(own, taken, records, "stop_when" if said.is_over else "no_more")
        if lead.value is not None:
            return self._led_on(came, taken, records, lead.value)
        if said.has_more:
            return ends.fail(self._contradiction(), records, came)
        if lead.suspicion is not None:
            return ends.fail(lead.suspicion, records, came, is_suspicion=True)
        return ends.end(own, taken, records, lead.reason)

    def _led_on(self, came: ListState, taken: ListState, records: list[JSON], value: JSON) -> PageTurn:
        own = self.pagination.signs
        is_own = bool(came.asked) and text_of(value) == text_of(came.next)
        if records and is_own:
            return ends.go_on(replace(taken, next=value, trail=came.trail, is_asked_again=True), records)
        if records:
            return ends.go_on(replace(followed(taken, came, value), is_promised=True), records)
        if is_own:
            return ends.end(own, taken, [], "empty_page")
        if taken.is_met and not own.is_estimate:
            return ends.end(own, taken, [], "total")
        following = replace(followed(taken, came, value), empty=came.empty + 1, is_promised=True)
        return ends.go_on_past_empty(own, came, following)

    def _lead(self, came: ListState, answer: PageAnswer) -> NextPageLead:
        match self.pagination:
            case DynamicPagination():
                values = computed.following(self.pagination, came, self.request, answer)
                return _bounded(NextPageLead(value=values)) if values else NextPageLead(reason="expression")
            case LinkHeaderPagination():
                return self._kept(came, NextPageLead(value=links.following(answer.links)))
            case CursorPagination():
                limit = limits.of(self.pagination, self.query)
                is_full = limit is not None and len(answer.records) >= limit
                is_due = bool(answer.records)
                found = _cursor(self.pagination, answer.document, is_due=is_due, is_full=is_full and not came.asked)
                return self._kept(came, found)

    def _kept(self, came: ListState, lead: NextPageLead) -> NextPageLead:
        """Return a lead as it is kept: a link is joined to the page that named it, and its secrets are taken out."""
        if lead.value is None:
            return lead
        _bounded(lead)
        previous = came.next if came.asked else None
        following = next_links.behind(previous, lead.value, requested=self._url, next_is=self._next_is)
        return replace(lead, value=self.plain(following))

    @property
    def _url(self) -> str:
        return str(self.request.get("url", ""))

    @property
    def _next_is(self) -> NextIs:
        return self.pagination.next_is if isinstance(self.pagination, CursorPagination) else NextIs.LINK

    def _contradiction(self) -> SourceError:
        more = self.pagination.signs.has_more_path
        where = "Link header"
        if isinstance(self.pagination, CursorPagination):
            where = f"cursor at '{self.pagination.cursor_path}'"
        elif isinstance(self.pagination, DynamicPagination):
            where = "result of get_pagination_values_expression"
        return SourceError("pagination", f"the upstream says at '{more}' that there is more, and has no {where}")


def _cursor(pagination: CursorPagination, document: JSON, *, is_due: bool, is_full: bool) -> NextPageLead:
    """Find the cursor of an answer; raise SourceError ``pagination`` for a path that can not be right.

    It is due behind records; a first page that is full is suspicious without one.
    """
    path = pagination.cursor_path
    value = path.find(document)
    if value is UNDEFINED:
        missing = path.find_missing(document)
        if not is_due or missing is None or missing in path.optional or _is_index(path.keys[missing]):
            return _NOWHERE
        error = SourceError("pagination", signs.lost("cursor_path", path, missing))
        if missing < len(path.keys) - 1:
            raise error
        return NextPageLead(suspicion=error) if is_full else _NOWHERE
    if pagination.is_end(value):
        return _NOWHERE
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise SourceError(
            "pagination", f"expected a text or an integer as the cursor at '{path}', found {name_type(value)}"
        )
    return NextPageLead(value=value)


def _bounded(lead: NextPageLead) -> NextPageLead:
    """Return a lead that can be kept, checked and sent; raise SourceError ``pagination`` for a longer one."""
    size = len(lead.value) if isinstance(lead.value, str) else len(bodies.json_bytes(lead.value))
    if size > _LONGEST_LEAD:
        message = f"the upstream's next cursor, or link, has {size} characters: expected at most {_LONGEST_LEAD}"
        raise SourceError("pagination", message)
    return lead


def _is_index(key: str) -> bool:
    """Whether a key counts an array's elements, of which an empty page has none."""
    return key.removeprefix("-").isdigit()


def _other_page(came: ListState) -> SourceError:
    message = f"the upstream gave the cursor '{str(came.next)[:100]}' twice, for different pages"
    return SourceError("repeated_cursor", message)
