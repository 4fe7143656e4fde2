"""The pictures of a run: its resources as a graph, its units as bars in time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.engine.runs.spells import SpellEnd
from app.engine.status import RunStatus, UnitStatus
from app.services.dashboard.run_books import ResourceBooks
from app.services.dashboard.run_graph import GraphNode
from app.services.dashboard.run_pages import RunPage
from app.services.dashboard.unit_spans import NOTICED, Stretch, UnitSpan, format_length

NODE_WIDTH: Final = 190
NODE_HEIGHT: Final = 58
_GAP_X: Final = 56
_GAP_Y: Final = 14
_LONGEST_NAME: Final = 24
BAR_WIDTH: Final = 1000
_LEAST_BAR: Final = 4.0
_FILLS: Final[Mapping[UnitStatus, str]] = {
    UnitStatus.DONE: "good",
    UnitStatus.FAILED: "bad",
    UnitStatus.LEASED: "live",
    UnitStatus.READY: "live",
}
_RUN_FILLS: Final[Mapping[RunStatus, str]] = {
    RunStatus.COMPLETED: "good",
    RunStatus.FAILED: "bad",
    RunStatus.STOPPED: "still",
    RunStatus.RATE_LIMITED: "warn",
}
_WAITS: Final[Mapping[SpellEnd, str]] = {
    SpellEnd.TURN: "still",
    SpellEnd.IDLE: "still",
    SpellEnd.ENDED: "still",
    SpellEnd.LOST: "bad",
    SpellEnd.RETRY: "bad",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBox:
    """One resource of the graph, as it is drawn."""

    x: float
    y: float
    name: str
    """Cut where it does not fit."""
    title: str
    call: str
    status: str
    counts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphChart:
    """The graph as it is drawn."""

    width: float
    height: float
    boxes: Sequence[NodeBox]
    edges: Sequence[str]
    """Each as a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A part of a bar: work is as high as the bar, a wait is thin."""

    x: float
    width: float
    fill: str
    is_wait: bool
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitBar:
    """One unit in the time of its run."""

    span: UnitSpan
    marks: Sequence[Mark]
    told: str
    """What it does, or waits for."""
    waited: str
    """How long it has waited for what; empty: not for a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBar:
    """The run itself in its time: what came before its units, and after them."""

    marks: Sequence[Mark]
    told: str
    waited: str
    """How long it has waited as a whole; empty: not for a second."""
    span: None = None


def draw_graph_chart(page: RunPage) -> GraphChart:
    """Lay out the graph of a run, from left to right."""
    books = {each.name: each for each in page.books}
    graph = page.graph
    return GraphChart(
        width=graph.layers * (NODE_WIDTH + _GAP_X) - _GAP_X,
        height=graph.rows * (NODE_HEIGHT + _GAP_Y) - _GAP_Y,
        boxes=[_draw_box(node, books.get(node.name)) for node in graph.nodes],
        edges=[_draw_edge(parent, child) for parent, child in graph.edges],
    )


def bound_units(page: RunPage) -> tuple[datetime, datetime]:
    """Return between which moments the bars of a run's units lie: its start, and its end, now, or when one goes on."""
    spans = page.parts.units.shown
    waited = [span.wake_at for span in spans if span.wake_at is not None and span.status is UnitStatus.READY]
    return min([page.run.created_at, *(span.created_at for span in spans)]), max([page.now, *waited])


def draw_run(page: RunPage) -> RunBar:
    """Lay out the time of a run: until a daemon takes it up, while units of it are there, while its records land."""
    run, place, is_created = page.run, _scale(page), page.run.status is RunStatus.CREATED
    # One that was resumed waits again.
    waited_from = run.updated_at if is_created and run.started_at is not None else run.created_at
    taken_up_at = page.now if is_created or run.started_at is None else run.started_at
    worked_until = max(taken_up_at, run.landing_since or page.now)
    parts = (
        (waited_from, taken_up_at, "for a daemon" if run.mutex_key is None else "for its mutex, or a daemon", "warn"),
        (taken_up_at, worked_until, "", _RUN_FILLS.get(run.status, "live")),
        (worked_until, page.now, "for its destinations", "warn"),
    )
    shown = [part for part in parts if part[1] > part[0]]
    waits = [
        f"{format_length(until - since)} {why}" for since, until, why, _ in shown if why and until - since >= NOTICED
    ]
    marks = [
        Mark(
            x=min(place(since), BAR_WIDTH - _LEAST_BAR),
            width=max(0.0 if why else _LEAST_BAR, round(place(until) - place(since), 1)),
            fill=fill,
            is_wait=bool(why),
            title=f"waited {why}" if why else f"under way for {format_length(until - since)}",
        )
        for since, until, why, fill in shown
    ]
    is_waiting = is_created or (run.landing_since is not None and not run.status.is_final)
    waits_now = page.diagnosis.waits if is_waiting else ()
    told = "under way" if run.status is RunStatus.RUNNING else run.status.replace("_", " ")
    if waits_now:
        told = f"waits for {waits_now[0].message}"
    return RunBar(marks=marks, told=told, waited=", ".join(waits))


def _scale(page: RunPage) -> Callable[[datetime], float]:
    begun, end = bound_units(page)
    scale = BAR_WIDTH / max(0.001, (end - begun).total_seconds())
    return lambda moment: round(min(BAR_WIDTH, max(0.0, (moment - begun).total_seconds() * scale)), 1)


def draw_units(page: RunPage) -> Sequence[UnitBar]:
    """Lay out the units of a run in its time."""
    place = _scale(page)
    has_begun = page.run.started_at is not None and page.run.status != "created"
    return [
        UnitBar(
            span=span,
            marks=[_mark(stretch, span.status, place) for stretch in _list_stretches(span, page.now)],
            told=span.describe_wait(page.now, has_begun=has_begun),
            waited=span.describe_waits(page.now),
        )
        for span in page.parts.units.shown
    ]


def _list_stretches(span: UnitSpan, now: datetime) -> Sequence[Stretch]:
    """List the parts of a unit's time, that until its timer is over included."""
    known = span.list_stretches(now)
    if span.status is not UnitStatus.READY or span.wake_at is None or span.wake_at <= now:
        return known
    wait = span.worked[-1].end if span.worked else SpellEnd.TURN
    return [*known, Stretch(begun_at=now, ended_at=span.wake_at, wait=wait)]


def _mark(stretch: Stretch, status: UnitStatus, place: Callable[[datetime], float]) -> Mark:
    x, until = place(stretch.begun_at), place(stretch.ended_at)
    return Mark(
        x=min(x, BAR_WIDTH - _LEAST_BAR),
        width=max(_LEAST_BAR if stretch.wait is None else 0.0, round(until - x, 1)),
        fill=_FILLS.get(status, "still") if stretch.wait is None else _WAITS.get(stretch.wait, "warn"),
        is_wait=stretch.wait is not None,
        title=stretch.describe(),
    )


def _place_node(node: GraphNode) -> tuple[float, float]:
    return node.layer * (NODE_WIDTH + _GAP_X), node.row * (NODE_HEIGHT + _GAP_Y)


def _draw_box(node: GraphNode, books: ResourceBooks | None) -> NodeBox:
    x, y = _place_node(node)
    counts = _count(books) if books else ""
    status = books.status if books else "waiting"
    name = node.name if len(node.name) <= _LONGEST_NAME else f"{node.name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
    title = f"{node.name} ({node.call}): {status}, {counts}"
    return NodeBox(x=x, y=y, name=name, title=title, call=node.call[:32], status=status, counts=counts)


def _count(books: ResourceBooks) -> str:
    counters = books.counters
    standing = counters.standing_errors
    errors = f" · {standing:,} error{'' if standing == 1 else 's'}" if standing else ""
    return f"{counters.fetched:,} fetched{errors}"


def _draw_edge(parent: GraphNode, child: GraphNode) -> str:
    (x, y), (to_x, to_y) = _place_node(parent), _place_node(child)
    x, middle = x + NODE_WIDTH, NODE_HEIGHT / 2
    half = (x + to_x) / 2
    return f"M{x:g} {y + middle:g}C{half:g} {y + middle:g} {half:g} {to_y + middle:g} {to_x:g} {to_y + middle:g}"
