"""Read a list by the rules of docs/completeness.md, one request after the other, and say what should come of it.

It knows the config and the answers, and shares no line with the application: where both disagree, one of them is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn
from urllib.parse import parse_qsl, urlsplit

from app.engine.json_types import JSON, JsonObject
from tests.support.listings import answers
from tests.support.listings.site import Answer, Asked

COUNTED: Final = frozenset({"page", "offset", "range"})


@dataclass(kw_only=True)
class Reading:
    """What a list came to."""

    records: list[str] = field(default_factory=list)
    requests: int = 0
    error: str | None = None
    reason: str | None = None
    is_proven: bool = False
    warnings: set[str] = field(default_factory=set)


class _Over(Exception):
    """The list ended, in whatever way."""


class ReferenceReader:
    """Reads one list."""

    def __init__(
        self,
        pagination: JsonObject | None,
        ask: Callable[[Asked], Answer],
        first: Asked,
        *,
        tracks: bool = False,
        has_paged: bool = False,
    ) -> None:
        """``tracks``: what the list does not hold is deleted; ``has_paged``: the path to cursors was right once."""
        self.kind = pagination["format"] if pagination else None
        self.config: JsonObject = pagination["config"] if pagination else {}
        self.limit: int = self.config.get("limit") or 0
        self.tracks, self.has_paged = tracks, has_paged
        self.found = Reading()
        self._ask, self._first = ask, first
        self._position: JSON = {"page": 1, "offset": 0, "range": 0}.get(str(self.kind))
        self._previous: list[str] = []
        self._answers = self._filled = self._size = self._empties = 0
        self._total: int | None = None
        self._refusal: str | None = None
        self._is_promised = self._is_empty_once = self._asks_again = False
        self._has_repeated = self._has_moved = False
        self._trail: list[str] = []
        self._begun: int | None = None

    def read(self) -> Reading:
        """Read until it is over."""
        try:
            while True:
                self._step()
        except _Over:
            return self.found

    def _step(self) -> None:
        answer = self._ask(self._request())
        self.found.requests += 1
        if answer.fault:
            self._fail("disconnected")
        stops = bool(self.config.get("stop_when")) and answers.STOPS[self.config["stop_when"]](answer)
        if answer.status >= 400:
            self._end("stop_when") if stops else self._refused(answer)
            return
        self._answers += 1
        records = answers.records(answer)
        if self._refusal:
            self.found.records += records
            self._fail(self._refusal) if records else self._end("refused", is_proven=False)
        if records and records == self._previous:
            self._pass_repeated(answer, len(records), has_ended=stops)
            return
        self._has_moved |= self._has_repeated
        self._has_repeated = False
        self._count(records)
        self.found.records += records
        self._read_total(answer)
        if stops:
            self._end("stop_when")
        if self.kind is None:
            self._end("single_page")
        self._go_on_counted(answer, records) if self.kind in COUNTED else self._go_on_pointed(answer, records)

    def _pass_repeated(self, answer: Answer, count: int, *, has_ended: bool) -> None:
        """Ask for one position more: a third page that is the same ends the list, another one shows that it moved."""
        if self._has_repeated or self._asks_again:
            self._end_repeated()
        self._read_total(answer)
        if self.kind in COUNTED and self._is_met and not self._is_estimate and self._more(answer) is None:
            self._end("total")
        self._has_repeated = True
        if has_ended:
            self._end("stop_when")
        more = self._more(answer)
        if self.kind not in COUNTED:
            self._pass_repeated_pointed(answer, more)
        else:
            if more is False:
                self._end("no_more")
            if self._said_end(answer) == self._position:
                self._end_repeated()  # it says itself that this is the page before
            self._is_promised, self._is_empty_once = more is True, False
            self._advance(count, answer)

    def _pass_repeated_pointed(self, answer: Answer, more: bool | None) -> None:
        value, has_end = self._next(answer)
        if more is False:
            self._end("no_more")
        if has_end:
            self._end_pointed(answer, [], is_promised=more is True)
        if self._trail and str(value) == str(self._position):
            self._end_repeated()
        self._follow(value)

    def _end_repeated(self) -> NoReturn:
        if self._filled == 1:
            self._fail("repeated_page")
        self._has_repeated = False
        self._end("repeated_page", is_proven=False)

    def _count(self, records: list[str]) -> None:
        if not records:
            return
        self._filled += 1
        if self._asks_again:
            self.found.records += records
            self._fail("repeated_cursor")
        self._previous, self._size = records, self._size or len(records)

    def _refused(self, answer: Answer) -> None:
        code, is_met = f"http_{answer.status}", not self._is_estimate and self._is_met
        self._refused_range(answer)
        if not self._answers:
            self._fail(code)
        if self.kind not in COUNTED:
            self._refused_cursor(answer, code, is_met=is_met)
            return
        if is_met and answer.status in answers.REFUSALS:
            self._end("total")
        if answer.status not in answers.REFUSALS:
            self._fail(code)
        if self._is_promised or self._is_short:
            self._fail(code)
        if self._refusal or self._is_empty_once:
            self._end("refused", is_proven=False)
        self._refusal = code
        self._advance(0)

    def _refused_range(self, answer: Answer) -> None:
        if self.kind != "range" or answer.status != 416:
            return
        if self._read_range(answer):
            self._end("content_range")
        if not self._answers:
            self._end("refused", is_proven=False)

    def _refused_cursor(self, answer: Answer, code: str, *, is_met: bool) -> None:
        """Begin anew, once: the upstream may have forgotten the cursor."""
        if is_met and answer.status in answers.REFUSALS:
            self._end("total")
        if answer.status not in answers.EXPIRED or self._begun is not None:
            self._fail(code)
        self.found.warnings.add("cursor_expired")
        self._begun = len(self.found.records)
        self._position, self._previous, self._trail = None, [], []
        self._answers = self._filled = self._size = self._empties = 0
        self._has_repeated = self._has_moved = False
        self._total, self._is_promised, self._asks_again = None, False, False

    def _go_on_counted(self, answer: Answer, records: list[str]) -> None:
        pages = answers.number(answers.at(answer.document, self.config.get("total_pages_path")))
        more = self._more(answer)
        if more is False:
            self._end("no_more")
        if self._has_moved:
            pages = None
        is_of_page = self._answers == 1 and not self._says_total(answer) and 0 < self.limit <= len(records)
        if more is None and not self._is_estimate and self._is_met and not is_of_page:
            self._end("total")
        if more is None and pages is not None and self._answers >= pages:
            self._end("total_pages")
        has_promised = more is True or pages is not None or self._is_short
        if records and not has_promised and self._is_declared_short(len(records)):
            self._end("short_page")
        if not records:
            self._pass_empty(is_promised=more is True or (pages is not None and self._answers < pages))
        else:
            self._empties, self._is_empty_once = 0, False
            self._is_promised = more is True or pages is not None
        self._advance(len(records), answer)

    def _is_declared_short(self, count: int) -> bool:
        if not self.config.get("short_page_ends"):
            return False
        if self._filled > 1:
            return count < min(self.limit, self._size)
        return count < self.limit and count % 10 != 0 and count % 25 != 0

    def _pass_empty(self, *, is_promised: bool) -> None:
        counts = self._total is not None and not self._is_estimate
        if counts and self._is_met:
            self._end("total")
        self._is_promised = is_promised or (self._is_short and self._reach < (self._total or 0))
        if self._is_promised:
            self._is_empty_once = False
            self._count_empty()
        elif self.tracks and not self._is_empty_once and not counts:
            self._is_empty_once = True
        else:
            self._end("empty_page")

    def _count_empty(self) -> None:
        self._empties += 1
        if self._empties >= self.config.get("max_empty_pages", 10):
            self._fail("empty_pages")

    def _says_total(self, answer: Answer) -> bool:
        return self.kind == "range" and answer.headers.get("Content-Range", "").rpartition("/")[2].isdigit()

    def _read_range(self, answer: Answer) -> bool:
        if self._says_total(answer):
            self._total = int(answer.headers["Content-Range"].rpartition("/")[2])
        return self._says_total(answer)

    def _go_on_pointed(self, answer: Answer, records: list[str]) -> None:
        value, has_end = self._next(answer)
        more = self._more(answer)
        if more is False:
            self._end("no_more")
        if has_end:
            self._end_pointed(answer, records, is_promised=more is True)
        is_own = bool(self._trail) and str(value) == str(self._position)
        if records:
            self._empties = 0
        elif is_own:
            self._end("empty_page")
        elif not self._is_estimate and self._is_met:
            self._end("total")
        self._asks_again = is_own
        if not is_own:
            self._follow(value)
        if not records:
            self._count_empty()

    def _follow(self, value: JSON) -> None:
        if str(value) in self._trail:
            self._fail("repeated_cursor")
        self._trail.append(str(value))
        self._position = value

    def _end_pointed(self, answer: Answer, records: list[str], *, is_promised: bool) -> None:
        if is_promised:
            self._fail("pagination")
        if self.kind == "cursor" and records and self._is_missing(answer):
            enclosing = answers.at(answer.document, self.config["cursor_path"].rpartition(".")[0])
            is_full = not self._trail and self.limit and len(records) >= self.limit
            if (enclosing is None and not self._may_lack_object) or (is_full and not self.has_paged):
                self._fail("pagination")
        self._end("expression" if self.kind == "dynamic" else "no_cursor")

    def _next(self, answer: Answer) -> tuple[JSON, bool]:
        """Return what the page says of the next one, and whether that ends."""
        if self.kind == "link_header":
            link = answer.headers.get("Link", "")
            address = link.partition(">")[0].removeprefix("<")
            return address, not address or 'results="false"' in link
        value = answers.at(answer.document, self.config.get("cursor_path", "meta.next"))
        ends = self.config.get("end_cursors", [None, "", False])
        return value, any(value is end or (type(value) is type(end) and value == end) for end in ends)

    def _is_missing(self, answer: Answer) -> bool:
        head, _, key = self.config["cursor_path"].rpartition(".")
        return key not in (answers.at(answer.document, head) or {})

    def _more(self, answer: Answer) -> bool | None:
        path = self.config.get("has_more_path")
        if path is None:
            return None
        enclosing = answers.at(answer.document, path.rpartition(".")[0])
        if enclosing is None and self._answers == 1:
            self._fail("pagination")
        if enclosing is None or path.rpartition(".")[2] not in enclosing:
            return None
        value = answers.at(answer.document, path)
        return bool(value) and not (isinstance(value, str) and value.lower() in answers.FALSE_TEXTS)

    def _read_total(self, answer: Answer) -> None:
        header = answer.headers.get(self.config.get("total_header", ""))
        path = self.config.get("total_path")
        if path and self._answers == 1 and answers.at(answer.document, path.rpartition(".")[0]) is None:
            self._fail("pagination")
        said = answers.at(answer.document, path) if header is None else header
        told = answers.number(said)
        if told is None and said not in (None, ""):
            self._fail("pagination")
        self._total = self._total if told is None else told
        if self.kind == "range":
            self._read_range(answer)

    @property
    def _may_lack_object(self) -> bool:
        return "?" in self.config["cursor_path"]

    @property
    def _is_estimate(self) -> bool:
        return bool(self.config.get("total") == "estimate")

    @property
    def _got(self) -> int:
        """The records since the list's beginning."""
        return len(self.found.records) - (self._begun or 0)

    @property
    def _is_met(self) -> bool:
        return self._got == self._total and not self._has_moved

    @property
    def _is_short(self) -> bool:
        """Whether a total that counts is not reached."""
        return self._total is not None and not self._has_moved and not self._is_estimate and self._got < self._total

    @property
    def _reach(self) -> int:
        """Where the page ends that was asked for."""
        position = int(str(self._position))
        return position * self._step_size if self.kind == "page" else position + self._step_size

    @property
    def _step_size(self) -> int:
        return self.limit or self._size or 100

    def _said_end(self, answer: Answer | None) -> int | None:
        """Return the position behind the range that an answer says it has."""
        said = "" if answer is None or self.kind != "range" else answer.headers.get("Content-Range", "")
        last = said.rpartition("/")[0].rpartition("-")[2]
        return int(last) + 1 if last.isdigit() else None

    def _advance(self, count: int, answer: Answer | None = None) -> None:
        step = 1 if self.kind == "page" else count or self._step_size
        end = self._said_end(answer) if count else None
        self._position = int(str(self._position)) + step if end is None else end

    def _request(self) -> Asked:
        query, headers, body = dict(self._first.query), {}, self._first.body
        if isinstance(self._position, str) and urlsplit(self._position).query:
            query |= dict(parse_qsl(urlsplit(self._position).query))
        elif self.kind == "range":
            headers = {"range": f"items={self._position}-{int(str(self._position)) + self.limit - 1}"}
        elif self.kind in COUNTED:
            query[str(self.kind)] = str(self._position)
        elif self._position is not None and self.config.get("cursor_in") == "body":
            body = {**(body or {}), "after": self._position}
        elif self._position is not None:
            query["after"] = str(self._position)
        return Asked(path=self._first.path, query=query, headers=headers, body=body)

    def _end(self, reason: str, *, is_proven: bool = True) -> NoReturn:
        self._has_moved |= self._has_repeated and is_proven
        if self._has_moved:
            self.found.warnings.add("list_changed")
            self._total, is_proven = None, False
        if self._is_short:
            self._fail("incomplete")
        if self._is_estimate and self._got < (self._total or 0):
            self.found.warnings.add("total_mismatch")
        if not is_proven:
            self.found.warnings.add("unproven_end")
        self.found.reason, self.found.is_proven = reason, is_proven
        raise _Over

    def _fail(self, code: str) -> NoReturn:
        self.found.error = code
        raise _Over
