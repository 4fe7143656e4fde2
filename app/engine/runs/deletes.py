"""When records that a run did not see count as deleted: only if the run would have seen them."""

from collections.abc import Mapping

from app.engine.jobs.items import ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.runs.settling import ResourceState

_INCREMENT = ("previous_run_date",)


def list_tracked(plan: RunPlan) -> list[str]:
    """List the resources whose records may be deleted: all items that write them keep track."""
    writers: dict[str, list[ResourceItem]] = {}
    for item in plan.order:
        if item.persist:
            writers.setdefault(item.resource, []).append(item)
    return [resource for resource, items in writers.items() if all(item.delete_tracking for item in items)]


def was_complete(resource: str, plan: RunPlan, states: Mapping[str, ResourceState]) -> bool:
    """Whether a run that has ended has requested every record of a resource, without an error or a guess.

    ``states`` is by name. An increment requests only what has changed, wherever it reads ``previous_run_date``, which
    each resource has of its own.
    """
    return not any(
        (states[step.name].previous_run_date is not None and reads_increment(step))
        or states[step.name].counters.errors
        or states[step.name].counters.skipped
        or states[step.name].counters.unproven
        for item in plan.order
        if item.resource == resource
        for step in (item, *plan.ancestors_of(item.name))
    )


def reads_increment(item: ResourceItem) -> bool:
    """Whether an item requests only what has changed since the last run."""
    if any(_INCREMENT[0] in expression.text for expression in item.expressions):
        return True
    return _INCREMENT in item.references | (item.recursion.references if item.recursion is not None else frozenset())


def is_too_many(vanished: int, held: int, *, limit_percent: float) -> bool:
    """Whether so many deletions are more likely an error of the upstream than real."""
    return vanished * 100 > limit_percent * held
