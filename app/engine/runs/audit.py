"""Reconcile a run's counters with the tables: do its books balance?

Most of it can be recounted exactly. Records can not: a later run that changes one puts its own id on it, so that a
run's records are at most those that it wrote.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.engine.jobs.planning import RunPlan
from app.engine.runs import books
from app.engine.runs.books import Counters
from app.engine.status import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """One resource of a run: its counters, and what a recount has found."""

    name: str
    resource: str
    parent_name: str | None
    persist: bool
    counters: Counters
    unfinished_units: int
    """Those that are live, and those that were cancelled."""
    unit_pages: int
    elements: int
    """Requests of all its units, each pagination counted once, and once more for each time that it was retried."""
    failed_elements: int
    """Requests that failed for good, and were not made again since."""
    errors: int
    loop_errors: int
    """Those of the errors that are about a ``loop_on`` without an array: no request could be made of it."""
    events: "EventCount"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount:
    """The records in a resource's webhook events, by what became of the events."""

    pending: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    cancelled: int = 0
    quarantined: int = 0
    """Records that are larger than their receiver takes, and not queued any more."""

    @property
    def total(self) -> int:
        """Count those that are queued, or were: not what has taken another one's place, which would count twice."""
        return self.pending + self.delivered + self.dead_lettered + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecount:
    """One run, recounted at one moment."""

    status: RunStatus
    to_webhook: bool
    resources: Sequence[Recount]
    """Parents before their children."""
    kept: dict[str, int]
    """Upstream resource to the records, tombstones included, whose last change is this run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One equation that must hold."""

    resource: str
    equation: str
    left: int
    right: int
    is_bound: bool = False
    """The left side may also be smaller: it can not be recounted exactly."""

    @property
    def holds(self) -> bool:
        """Whether it is true."""
        return self.left <= self.right if self.is_bound else self.left == self.right


def audit(run: RunRecount, plan: RunPlan) -> list[Check]:
    """Check every resource of a run, live or ended."""
    by_name = {resource.name: resource for resource in run.resources}
    uncounted = {item.name for item in plan.order if item.loop_on or item.recursion or not item.is_request}
    # How many of a parent's records were marked as deleted is known only as far as they were held.
    uncounted |= {child.name for item in plan.order if item.deleted_when for child in plan.children_of(item.name)}
    checks: list[Check] = []
    for resource in run.resources:
        checks += _check_own(resource)
        checks += _check_records(resource, to_webhook=run.to_webhook)
        if resource.parent_name is not None:
            checks += _check_children(
                resource, by_name[resource.parent_name], is_countable=resource.name not in uncounted
            )
        if run.status is RunStatus.COMPLETED:
            checks.append(_make_check(resource, "unfinished units = 0", resource.unfinished_units, 0))
    return [*checks, *_check_kept(run)]


def _check_own(resource: Recount) -> Iterator[Check]:
    counters = resource.counters
    yield _make_check(resource, "pages = pages of its units", counters.pages, resource.unit_pages)
    yield _make_check(resource, "errors = errors that are listed", counters.errors, resource.errors)
    failed, most = resource.failed_elements, counters.standing_errors
    yield _make_check(resource, "requests that failed <= errors - retried", failed, most, is_bound=True)


def _check_records(resource: Recount, *, to_webhook: bool) -> Iterator[Check]:
    counters, events = resource.counters, resource.events
    if not resource.persist:
        return
    left_name, left, right_name, right = (
        books.write_delivery_equation if to_webhook else books.write_storage_equation
    )(counters)
    yield _make_check(resource, f"{left_name} = {right_name}", left, right)
    if not to_webhook:
        return
    yield _make_check(resource, "queued = records in its events", counters.queued, events.total)
    yield _make_check(resource, "delivered = records in delivered events", counters.delivered, events.delivered)
    yield _make_check(
        resource, "dead_lettered = records in dead-lettered events", counters.dead_lettered, events.dead_lettered
    )
    equation = "records in quarantined events <= quarantined"
    yield _make_check(resource, equation, events.quarantined, counters.quarantined, is_bound=True)


def _check_children(child: Recount, parent: Recount, *, is_countable: bool) -> Iterator[Check]:
    counters = child.counters
    lost = parent.failed_elements + child.loop_errors
    yield _make_check(
        child, f"skipped = failed requests of {parent.name} + its own loop errors", counters.skipped, lost
    )
    if is_countable:
        # What only the receiver would not have was an object like any other before.
        unusable = parent.counters.quarantined - parent.events.quarantined
        asked = parent.counters.fetched - unusable + counters.retried
        yield _make_check(child, f"requests = objects of {parent.name} + retried", child.elements, asked)


def _check_kept(run: RunRecount) -> Iterator[Check]:
    for name, kept in run.kept.items():
        writers = [resource.counters for resource in run.resources if resource.resource == name]
        written = sum(counters.created + counters.updated + counters.deleted for counters in writers)
        equation = "records of this run <= created + updated + deleted"
        yield Check(resource=name, equation=equation, left=kept, right=written, is_bound=True)


def _make_check(resource: Recount, equation: str, left: int, right: int, *, is_bound: bool = False) -> Check:
    return Check(resource=resource.name, equation=equation, left=left, right=right, is_bound=is_bound)
