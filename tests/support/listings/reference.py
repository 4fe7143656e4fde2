"""Read a list by the rules of docs/completeness.md, one request after the other, and say what should come of it.

It knows the config and the answers, and shares no line with the application: where both disagree, one of them is wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NoReturn
from urllib.parse import parse_qsl, urlsplit

from app.engine.json_types import JSON, JsonObject
from tests.support.listings.site import Answer, Asked

REFUSALS: Final = frozenset({400, 404, 416, 422})
COUNTED: Final = frozenset({"page", "offset", "range"})
FALSE_TEXTS: Final = frozenset({"", "0", "n", "no", "f", "false", "off"})
STOPS: Final[Mapping[str, Callable[[Answer], bool]]] = {
    **{f"status = {code}": partial(lambda code, answer: answer.status == code, code) for code in sorted(REFUSALS)},
    "body.meta.last = true": lambda answer: _at(answer.document, "meta.last") is True,
}
"""What the expressions that tests use as ``stop_when`` mean."""


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
        """``tracks``: what the list does not hold will be deleted; ``has_paged``: the path to cursors was right once."""
        self.kind = pagination["format"] if pagination else None
        self.config: JsonObject = pagination["config"] if pagination else {}
        self.limit: int = self.config.get("limit") or 0
        self.tracks, self.has_paged = tracks, has_paged
        self.found = Reading()
        self._ask, self._first = ask, first
        self._position: JSON = {"page": 1, "offset": 0, "range": 0}.get(str(self.kind))
        self._previous: list[str] | None = None
        self._pages = self._empties = 0
        self._total: int | None = None
        self._refusal: str | None = None
        self._is_empty_once = self._has_matched = self._asks_again = False
        self._trail: list[JSON] = []

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
        self._pages += 1
        if answer.fault:
            self._fail("disconnected")
        stops = self.config.get("stop_when") and STOPS[self.config["stop_when"]](answer)
        if answer.status >= 400:
            self._end("stop_when") if stops else self._refused(answer)
            return
        records = _records(answer)
        self._look_for_repeats(records)
        self.found.records += records
        self._previous = records
        if self._refusal:
            self._fail(self._refusal) if records else self._end("refused", is_proven=False)
        self._read_total(answer)
        if stops:
            self._end("stop_when")
        if self.kind is None:
            self._end("single_page")
        self._go_on_counted(answer, records) if self.kind in COUNTED else self._go_on_pointed(answer, records)

    def _look_for_repeats(self, records: list[str]) -> None:
        if records and records == self._previous:
            self._fail("repeated_page") if self._pages == 2 else self._end("repeated_page", is_proven=False)
        if self._asks_again:
            self.found.records += records
            self._fail("repeated_cursor")

    def _refused(self, answer: Answer) -> None:
        code = f"http_{answer.status}"
        if self._pages == 1 and self.kind == "range" and answer.status == 416:
            self._end("empty_page")
        if self._pages == 1 or self.kind not in COUNTED or answer.status not in REFUSALS or self._is_short:
            self._fail(code)
        if self._refusal:
            self._end("refused", is_proven=False)
        self._refusal = code
        self._advance([])

    def _go_on_counted(self, answer: Answer, records: list[str]) -> None:
        if self.kind == "range":
            self._read_range(answer)
        pages = _number(_at(answer.document, self.config.get("total_pages_path")))
        more = self._more(answer)
        if self._total is not None and not self._is_estimate and not self._is_short:
            self._end("total")
        if pages is not None and self._pages >= pages:
            self._end("total_pages")
        if more is False:
            self._end("no_more")
        if self.config.get("short_page_ends") and 0 < len(records) < self.limit:
            self._end("short_page")
        if not records:
            self._pass_empty(is_promised=more is True or self._is_short or pages is not None)
        else:
            self._empties, self._is_empty_once = 0, False
        self._advance(records)

    def _pass_empty(self, *, is_promised: bool) -> None:
        if is_promised:
            if self._is_short and self._reach >= (self._total or 0):
                self._fail("incomplete")
            self._count_empty()
        elif self.tracks and not self._is_empty_once:
            self._is_empty_once = True
        else:
            self._end("empty_page")

    def _count_empty(self) -> None:
        self._empties += 1
        if self._empties >= self.config.get("max_empty_pages", 10):
            self._fail("empty_pages")

    def _read_range(self, answer: Answer) -> None:
        said = answer.headers.get("Content-Range", "")
        begin, _, total = said.removeprefix("items ").partition("/")
        if total.isdigit():
            self._total = int(total)
            if begin == "*" or int(begin.partition("-")[2]) + 1 >= self._total:
                self._end("content_range")

    def _go_on_pointed(self, answer: Answer, records: list[str]) -> None:
        value, has_end = self._next(answer)
        more = self._more(answer)
        if more is False:
            self._end("no_more")
        if has_end:
            self._end_pointed(answer, records, is_promised=more is True)
        self._has_matched = True
        if not records:
            if value == self._position:
                self._end("empty_page")
            self._count_empty()
        else:
            self._empties = 0
        self._asks_again = value == self._position
        if value in self._trail and not self._asks_again:
            self._fail("repeated_cursor")
        self._trail.append(value)
        self._position = value

    def _end_pointed(self, answer: Answer, records: list[str], *, is_promised: bool) -> None:
        if is_promised:
            self._fail("pagination")
        if self.kind == "cursor" and not self._has_matched and self._is_missing(answer):
            enclosing = _at(answer.document, self.config["cursor_path"].rpartition(".")[0])
            is_full = self._pages == 1 and self.limit and len(records) >= self.limit
            if (enclosing is None and not self._may_lack_object) or (is_full and not self.has_paged):
                self._fail("pagination")
        self._end("expression" if self.kind == "dynamic" else "no_cursor")

    def _next(self, answer: Answer) -> tuple[JSON, bool]:
        """Return what the page says of the next one, and whether that ends."""
        if self.kind == "link_header":
            link = answer.headers.get("Link", "")
            address = link.partition(">")[0].removeprefix("<")
            return address, not address or 'results="false"' in link
        value = _at(answer.document, self.config.get("cursor_path", "meta.next"))
        ends = self.config.get("end_cursors", [None, "", False])
        return value, any(value is end or (type(value) is type(end) and value == end) for end in ends)

    def _is_missing(self, answer: Answer) -> bool:
        head, _, key = self.config["cursor_path"].rpartition(".")
        return key not in (_at(answer.document, head) or {})

    def _more(self, answer: Answer) -> bool | None:
        path = self.config.get("has_more_path")
        if path is None:
            return None
        enclosing = _at(answer.document, path.rpartition(".")[0])
        if enclosing is None:
            self._fail("pagination")
        if path.rpartition(".")[2] not in enclosing:
            return None
        value = _at(answer.document, path)
        return bool(value) and not (isinstance(value, str) and value.lower() in FALSE_TEXTS)

    def _read_total(self, answer: Answer) -> None:
        header = answer.headers.get(self.config.get("total_header", ""))
        told = _number(_at(answer.document, self.config.get("total_path"))) if header is None else _number(header)
        self._total = self._total if told is None else told

    @property
    def _may_lack_object(self) -> bool:
        return "?" in self.config["cursor_path"]

    @property
    def _is_estimate(self) -> bool:
        return bool(self.config.get("total") == "estimate")

    @property
    def _is_short(self) -> bool:
        """Whether a total that counts is not reached."""
        return self._total is not None and not self._is_estimate and len(self.found.records) < self._total

    @property
    def _reach(self) -> int:
        """Where the page ends that was asked for."""
        position = int(str(self._position))
        return position * self.limit if self.kind == "page" else position + self.limit

    def _advance(self, records: list[str]) -> None:
        step = 1 if self.kind == "page" else len(records) or self.limit
        self._position = int(str(self._position)) + step

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
        if self._is_short:
            self._fail("incomplete")
        if self._is_estimate and self._total != len(self.found.records):
            self.found.warnings.add("total_mismatch")
        self.found.reason, self.found.is_proven = reason, is_proven
        raise _Over

    def _fail(self, code: str) -> NoReturn:
        self.found.error = code
        raise _Over


def _records(answer: Answer) -> list[str]:
    found = _at(answer.document, "items") or []
    return [record["id"] for record in found]


def _at(document: JSON, path: str | None) -> JSON:
    for key in path.replace("?", "").split(".") if path else []:
        document = document.get(key) if isinstance(document, dict) else None
    return document if path is not None else None


def _number(value: JSON) -> int | None:
    if isinstance(value, bool):
        return None
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else None
