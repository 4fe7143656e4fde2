"""Traces of runs, and of destinations' slices: what was done, how long it took, and what it was part of.

A trace has the id of its run: whoever works on the run knows it, whether a message, the sweeper or a signal made it do
so. Nothing is recorded before ``start``; until then each function costs a comparison.
"""

import functools
import os
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, TypeAlias, TypeVar
from urllib.parse import urlsplit

Value: TypeAlias = str | int | float | bool

_Owner = TypeVar("_Owner")
_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")

_RANDOM_DIGITS: Final = 14
"""The last digits of a UUID, which are random in each version that ids have."""
_UNKNOWN: Final = "0" * 32
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Kind(Enum):
    """What a span is to others: https://opentelemetry.io/docs/specs/otel/trace/api/#spankind."""

    INTERNAL = auto()
    SERVER = auto()
    CLIENT = auto()
    PRODUCER = auto()
    CONSUMER = auto()


@dataclass(slots=True, kw_only=True)
class Span:
    """One piece of work of a trace; no value of it is a secret."""

    name: str
    kind: Kind = Kind.INTERNAL
    trace_id: str
    """32 hexadecimal digits."""
    id: str
    """16 hexadecimal digits."""
    parent_id: str | None = None
    is_sampled: bool
    """Whether it is recorded when it ends."""
    started_ns: int = field(default_factory=time.time_ns)
    ended_ns: int = 0
    attributes: dict[str, Value] = field(default_factory=dict)
    error: str | None = None
    """The code of the error that it ended by, or its class."""
    link: str | None = None
    """The ``traceparent`` of a span of another trace that led to this one."""

    @property
    def traceparent(self) -> str:
        """Its header of https://www.w3.org/TR/trace-context/, for who is asked on its behalf."""
        return f"00-{self.trace_id}-{self.id}-{'01' if self.is_sampled else '00'}"

    def set(self, attributes: Mapping[str, Value | None]) -> None:
        """Add the attributes that have a value."""
        if self.is_sampled:
            self.attributes.update({name: value for name, value in attributes.items() if value is not None})

    def end(self) -> None:
        """End it now, and record it."""
        self.ended_ns = time.time_ns()
        if self.is_sampled and _record is not None:
            _record(self)


class Within:
    """Makes a span the parent of what begins within, also in coroutines that are submitted from there."""

    __slots__ = ("_token", "span")

    def __init__(self, span: Span) -> None:
        self.span = span

    def __enter__(self) -> Span:
        self._token: Token[Span | None] = _current.set(self.span)
        return self.span

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        _current.reset(self._token)


class _Ending(Within):
    """Ends the span too, with the error that is raised within."""

    __slots__ = ()

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        super().__exit__(kind, error, trace)
        if error is not None:
            self.span.error = self.span.error or read_error(error)
        self.span.end()


class Nothing:
    """Stands for a span where there is none."""

    __slots__ = ()

    def __enter__(self) -> Span:
        return NO_SPAN

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        return


NO_SPAN: Final = Span(name="", trace_id=_UNKNOWN, id=_UNKNOWN[:16], is_sampled=False)
NOTHING: Final = Nothing()
_current: ContextVar[Span | None] = ContextVar("span", default=None)
_record: Callable[[Span], None] | None = None
_close: Callable[[], None] | None = None
_least: int = 0
"""What the random digits of a run's id are at least, where its trace is recorded."""


def start(record: Callable[[Span], None], *, ratio: float = 1.0, close: Callable[[], None] | None = None) -> None:
    """Begin to record the spans of this share of all runs; ``record`` must neither wait nor raise.

    ``close`` sends what waits, in bounded time.
    """
    global _record, _close, _least  # one per process, as its metrics are
    stop()
    _record, _close, _least = record, close, round((1 - ratio) * 16**_RANDOM_DIGITS)


def stop() -> None:
    """Record nothing more, and send what waits."""
    global _record, _close
    close, _record, _close = _close, None, None
    if close is not None:
        close()


def is_on() -> bool:
    """Whether spans are recorded in this process."""
    return _record is not None


def span(
    name: str, attributes: Mapping[str, Value | None] | None = None, *, kind: Kind = Kind.INTERNAL, run_id: str = ""
) -> Within | Nothing:
    """Return a context that is one span, below the current one, or with ``run_id`` below this run's.

    Outside of any run there is none.
    """
    if _record is None:
        return NOTHING
    begun = begin(name, attributes, kind=kind, run_id=run_id)
    return NOTHING if begun is NO_SPAN else _Ending(begun)


def trace(
    name: str, attributes: Mapping[str, Value | None] | None = None, *, kind: Kind = Kind.INTERNAL
) -> Within | Nothing:
    """Return a context that is the first span of a trace of its own: of work that belongs to no run."""
    if _record is None:
        return NOTHING
    first = _build_root(os.urandom(16).hex())
    first.name, first.kind = name, kind
    first.set(attributes or {})
    return _Ending(first)


def begin(
    name: str, attributes: Mapping[str, Value | None] | None = None, *, kind: Kind = Kind.INTERNAL, run_id: str = ""
) -> Span:
    """Begin such a span, which its caller ends."""
    above = _current.get()
    if _record is None or (above is None and not run_id):
        return NO_SPAN
    if above is None or (run_id and above.trace_id != _find_trace_id(run_id)):
        above = _build_root(run_id)
    begun = _build_below(above, name, kind)
    begun.set(attributes or {})
    return begun


def note_error(error: BaseException) -> None:
    """Record that the current span has failed, though nothing is raised."""
    if (current := _current.get()) is not None:
        current.error = current.error or read_error(error)


def within(begun: Span) -> Within | Nothing:
    """Return a context in which a span is the current one."""
    return NOTHING if begun is NO_SPAN else Within(begun)


def trace_method(
    name: str, *, kind: Kind = Kind.INTERNAL
) -> Callable[
    [Callable[Concatenate[_Owner, str, _Params], _Result]], Callable[Concatenate[_Owner, str, _Params], _Result]
]:
    """Make each call of a method, whose first argument is a run's id, a span of that run."""

    def decorate(
        method: Callable[Concatenate[_Owner, str, _Params], _Result],
    ) -> Callable[Concatenate[_Owner, str, _Params], _Result]:
        @functools.wraps(method)
        def call(owner: _Owner, run_id: str, /, *args: _Params.args, **kwargs: _Params.kwargs) -> _Result:
            with span(name, kind=kind, run_id=run_id):
                return method(owner, run_id, *args, **kwargs)

        return call

    return decorate


def record_run(
    run_id: str, attributes: Mapping[str, Value | None], *, started_at: datetime, error: str | None, resumes: int = 0
) -> None:
    """Record the span that all others of a run are below, now that the run has ended.

    The end of a resumed run is recorded below that of the first time.
    """
    if _record is None:
        return
    whole = _build_root(run_id)
    if resumes:
        whole = _build_below(whole, "resumed run", Kind.INTERNAL)
    whole.started_ns, whole.error = int(started_at.timestamp() * 1e9), error
    whole.set(attributes)
    whole.end()


def find_traceparent() -> str | None:
    """Return the ``traceparent`` of the current span; None where there is none."""
    above = _current.get()
    return None if above is None or _record is None else above.traceparent


def read_traceparent(text: str | None) -> str | None:
    """Return a caller's ``traceparent``; None where it has none, or one that means nothing."""
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None


def list_ids(run_id: object) -> dict[str, str]:
    """Return what a log line says of the trace that it belongs to: by the current span, or else by its run."""
    if _record is None:
        return {}
    if (above := _current.get()) is not None:
        return {"trace_id": above.trace_id, "span_id": above.id}
    return {"trace_id": _find_trace_id(run_id)} if isinstance(run_id, str) and run_id else {}


def describe_address(url: str) -> dict[str, Value]:
    """Return the attributes of an address that hold no secret: neither its path nor its query, which may."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return {}
    return {"server.address": parts.hostname or "", "server.port": port, "url.scheme": parts.scheme}


def read_error(error: BaseException) -> str:
    """Return the code of an error, or its class; never its message, which may quote anything."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) and code else type(error).__name__


def _build_root(run_id: str) -> Span:
    """Build the span of a whole run, whose ids follow from the run's."""
    trace_id = _find_trace_id(run_id)
    is_sampled = int(trace_id[-_RANDOM_DIGITS:], 16) >= _least
    return Span(name="run", trace_id=trace_id, id=trace_id[-16:], is_sampled=is_sampled)


def _build_below(above: Span, name: str, kind: Kind) -> Span:
    return Span(
        name=name,
        kind=kind,
        trace_id=above.trace_id,
        id=os.urandom(8).hex(),
        parent_id=above.id,
        is_sampled=above.is_sampled,
    )


def _find_trace_id(run_id: str) -> str:
    return run_id.replace("-", "")
