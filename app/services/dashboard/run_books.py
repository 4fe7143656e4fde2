"""A run's books as equations: where each record that the upstream returned has gone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from app.engine.json_types import JsonObject
from app.engine.objects.runs import SyncJobRun
from app.engine.runs import books
from app.engine.runs.books import Counters
from app.services.dashboard.run_graph import RunGraph

_COUNTERS = tuple(one.name for one in fields(Counters))


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One number of an equation."""

    sign: str
    """``+`` or ``-``; that of a side's first one is not written."""
    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """Two sums that are the same once the resource has ended."""

    left: Sequence[Term]
    right: Sequence[Term]

    @property
    def holds(self) -> bool:
        """Whether both sides are the same."""
        return _sum(self.left) == _sum(self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceBooks:
    """The books of one resource."""

    name: str
    method: str
    status: str
    counters: Counters
    equations: Sequence[Equation]
    """None where its records are kept nowhere."""
    imbalance: str | None
    """What does not hold."""
    expected: int | None
    """The records that the upstream's totals declare."""
    warnings: JsonObject
    """By code: how often, and the first message."""
    reading: JsonObject
    """How its lists are read: by the way, the reason."""

    @property
    def is_proven(self) -> bool:
        """Whether the end of each list was proven."""
        return self.counters.unproven == 0


def write_books(run: SyncJobRun, graph: RunGraph) -> Sequence[ResourceBooks]:
    """Write the books of a run's resources, parents before their children."""
    persisted = {node.name for node in graph.nodes if node.persist}
    return [
        _write(name, method, stats, is_persisted=name in persisted, to_webhook=run.webhook_id is not None)
        for name, methods in run.resource_stats.items()
        for method, stats in methods.items()
    ]


def _write(name: str, method: str, stats: JsonObject, *, is_persisted: bool, to_webhook: bool) -> ResourceBooks:
    counters = Counters(**{each: stats[each] for each in _COUNTERS})
    return ResourceBooks(
        name=name,
        method=method,
        status=stats["status"],
        counters=counters,
        equations=list(_write_equations(counters, to_webhook=to_webhook)) if is_persisted else (),
        imbalance=books.find_imbalance(counters, persisted=is_persisted, to_webhook=to_webhook),
        expected=stats["expected"],
        warnings=stats["warnings"],
        reading=stats["reading"],
    )


def _write_equations(counters: Counters, *, to_webhook: bool) -> Iterator[Equation]:
    write = books.write_delivery_equation if to_webhook else books.write_storage_equation
    left, _, right, _ = write(counters)
    yield Equation(left=_read_terms(left, counters), right=_read_terms(right, counters))
    if to_webhook:
        yield Equation(left=_read_terms("queued", counters), right=_read_terms("delivered + dead_lettered", counters))


def _read_terms(side: str, counters: Counters) -> Sequence[Term]:
    """Read the terms of one side, as it is written in words."""
    words = ["+", *side.split(" ")]
    return [
        Term(sign=sign, name=name, count=getattr(counters, name))
        for sign, name in zip(words[::2], words[1::2], strict=True)
    ]


def _sum(terms: Sequence[Term]) -> int:
    return sum(-term.count if term.sign == "-" else term.count for term in terms)
