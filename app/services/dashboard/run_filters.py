"""Which runs are meant: the filters of a search, as values, as a query string, and as JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Final

from app.engine.errors import Failure, InvalidInputError
from app.engine.ids import parse_id
from app.engine.json_types import JSON, JsonObject
from app.engine.status import RunStatus
from app.engine.times import format_utc_or_none

_TIMES: Final = ("since", "until", "finished_from", "finished_to")
NAMES: Final = ("status", "has_errors", "job", "account", "tenant", "args", "error", *_TIMES)
"""The parameters of a query, in the order in which they are written."""
_REPEATED: Final = frozenset({"status", "args"})
_LONGEST: Final = 1000
_MOST_ARGS: Final = 10
_MOST_STEPS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgFilter:
    """A value that the args of a run have at a path."""

    path: tuple[str, ...]
    value: str
    """As it is typed: 5 means the number and the text."""

    @property
    def alternatives(self) -> Sequence[JsonObject]:
        """Return the objects of which the args contain one: with the value there, or with a list that has it."""
        read = _read_scalar(self.value)
        values: list[JSON] = [read] if isinstance(read, str) else [self.value, read]
        return [self._within(found) for value in values for found in (value, [value])]

    def _within(self, value: JSON) -> JsonObject:
        for step in reversed(self.path):
            value = {step: value}
        assert isinstance(value, dict)
        return value

    def __str__(self) -> str:
        """Write it as it is typed."""
        return f"{'.'.join(self.path)}={self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilters:
    """What a search of runs is narrowed to; nothing is every run."""

    statuses: tuple[RunStatus, ...] = ()
    has_errors: bool = False
    """Only those that ended with errors which no resume has mended."""
    job_id: str | None = None
    account_id: str | None = None
    tenant_id: str | None = None
    args: tuple[ArgFilter, ...] = ()
    """All of them hold."""
    error_code: str | None = None
    """That of the run's end, or of one of its errors."""
    since: datetime | None = None
    """Created at this moment, or later."""
    until: datetime | None = None
    """Created before this moment."""
    finished_from: datetime | None = None
    finished_to: datetime | None = None
    """Ended before this moment."""

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """Return the parameters of a query that means the same."""
        found = [("status", status.value) for status in self.statuses]
        found += [("has_errors", "true")] if self.has_errors else []
        one_each = (
            *(("job", self.job_id), ("account", self.account_id), ("tenant", self.tenant_id)),
            *(("args", str(arg)) for arg in self.args),
            ("error", self.error_code),
            *((name, format_utc_or_none(getattr(self, name))) for name in _TIMES),
        )
        return [*found, *((name, value) for name, value in one_each if value is not None)]


def write_filters(filters: RunFilters) -> JsonObject:
    """Return filters as JSON, which ``read_filters`` reads."""
    lists: dict[str, list[str]] = {}
    for name, value in filters.pairs:
        lists.setdefault(name, []).append(value)
    return {name: values if name in _REPEATED else values[0] for name, values in lists.items()}


def read_filters(values: Mapping[str, object]) -> RunFilters:
    """Read filters from their parameters, each a text or a list of texts; raise InvalidInputError with every fault."""
    faults: list[Failure] = []
    texts: dict[str, list[str]] = {}
    for name, value in values.items():
        if name in NAMES:
            texts[name] = _list_texts(name, value, faults)
        else:
            faults.append(Failure(name[:100], f"is not a filter of runs: expected one of {', '.join(NAMES)}"))
    found = RunFilters(
        statuses=_read_statuses(texts.get("status", ()), faults),
        has_errors=_read_flag("has_errors", texts, faults),
        job_id=_read_id("job", texts, faults),
        account_id=_read_id("account", texts, faults),
        tenant_id=_last(texts, "tenant"),
        args=_read_args(texts.get("args", ()), faults),
        error_code=_last(texts, "error"),
        since=_read_time("since", texts, faults),
        until=_read_time("until", texts, faults),
        finished_from=_read_time("finished_from", texts, faults),
        finished_to=_read_time("finished_to", texts, faults),
    )
    if faults:
        raise InvalidInputError(faults)
    return found


def _list_texts(name: str, value: object, faults: list[Failure]) -> list[str]:
    items = value if isinstance(value, list) else [value]
    texts = [item.strip() for item in items if isinstance(item, str)]
    if len(texts) != len(items):
        faults.append(Failure(name, "expected text" + (", or a list of texts" if name in _REPEATED else "")))
    elif len(texts) > 1 and name not in _REPEATED:
        faults.append(Failure(name, "expected one value"))
    if any(len(text) > _LONGEST or not _is_text(text) for text in texts):
        faults.append(Failure(name, f"expected at most {_LONGEST} characters of Unicode, none of them NUL"))
        return []
    return [text for text in texts if text]


def _last(texts: Mapping[str, Sequence[str]], name: str) -> str | None:
    found = texts.get(name)
    return found[-1] if found else None


def _read_statuses(texts: Iterable[str], faults: list[Failure]) -> tuple[RunStatus, ...]:
    words = {word.strip() for text in texts for word in text.split(",")} - {""}
    if unknown := sorted(words - set(RunStatus)):
        known = ", ".join(RunStatus)
        faults += [Failure("status", f"'{word[:50]}' is no status: expected {known}") for word in unknown]
    return tuple(status for status in RunStatus if status in words)


def _read_flag(name: str, texts: Mapping[str, Sequence[str]], faults: list[Failure]) -> bool:
    found = _last(texts, name)
    if found not in (None, "true"):
        faults.append(Failure(name, "expected true, or nothing"))
    return found == "true"


def _read_id(name: str, texts: Mapping[str, Sequence[str]], faults: list[Failure]) -> str | None:
    text = _last(texts, name)
    if text is None:
        return None
    found = parse_id(text)
    if found is None:
        faults.append(Failure(name, "expected a UUID"))
    return found


def _read_args(texts: Sequence[str], faults: list[Failure]) -> tuple[ArgFilter, ...]:
    if len(texts) > _MOST_ARGS:
        faults.append(Failure("args", f"expected at most {_MOST_ARGS} of them"))
        return ()
    found = []
    for text in texts:
        path, is_given, value = text.partition("=")
        steps = tuple(step.strip() for step in path.split("."))
        if is_given and all(steps) and len(steps) <= _MOST_STEPS:
            found.append(ArgFilter(path=steps, value=value.strip()))
        else:
            faults.append(Failure("args", f"'{text[:50]}': expected path=value, such as user.plan=pro"))
    return tuple(found)


def _read_time(name: str, texts: Mapping[str, Sequence[str]], faults: list[Failure]) -> datetime | None:
    text = _last(texts, name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        faults.append(Failure(name, "expected an ISO-8601 time such as 2026-01-31T10:00Z"))
        return None


def _read_scalar(text: str) -> JSON:
    """Return what a text is as JSON, if that is a text, a number, true, false or null that Postgres can hold."""
    try:
        read: JSON = json.loads(text)
    except (ValueError, RecursionError):
        return text
    match read:
        case str():
            is_held = _is_text(read)
        case float():
            is_held = isfinite(read)
        case _:
            is_held = not isinstance(read, list | dict)
    return read if is_held else text


def _is_text(text: str) -> bool:
    """Whether Postgres can hold a text."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
