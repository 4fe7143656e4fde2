"""Decide what a run has come to, from its resources and what is left of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.engine.json_types import JsonObject
from app.engine.runs import books
from app.engine.runs.books import Counters
from app.engine.status import FINAL_RESOURCE_STATUSES, ResourceStatus, RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """What became of a resource's requests."""

    requests: int = 0
    """Those that were made for good: a refusal that is waited out, or a fault that is tried again, is none."""
    answered: int = 0
    """Those of them that returned what was requested, whatever became of it here."""
    answer_ms: int = 0
    """How long the upstream took for the answered ones, all together."""

    def __add__(self, other: "Exchanges") -> "Exchanges":
        return Exchanges(
            requests=self.requests + other.requests,
            answered=self.answered + other.answered,
            answer_ms=self.answer_ms + other.answer_ms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceState:
    """One resource of a run as it stands, with what is left of it to do."""

    id: str
    name: str
    resource: str
    method: str
    parent_name: str | None
    persist: bool
    status: ResourceStatus
    started_at: datetime | None
    counters: Counters
    live_units: int
    parked_units: int
    """Those of the live units that wait until the upstream takes requests again."""
    wakes_at: datetime | None = None
    """When the first of the parked units goes on."""
    rekeying: JsonObject | None = None
    """By what its records are known in this run, in the place of something else (engine/jobs/item_keys.py)."""
    previous_run_date: datetime | None = None
    """The lower bound of its increment; None asks for everything."""
    left_out: int = 0
    """Units with requests that were never made, and that nobody will make: a resume took up the errors only."""
    exchanges: Exchanges = field(default_factory=Exchanges)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, all of it seen at one moment: else its books could seem wrong while a delivery is counted."""

    resources: Sequence[ResourceState]
    """Parents before their children."""
    pending: int
    """Events that wait for the webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be written: resources that have ended, and the status that the run should have."""

    ended: Mapping[str, ResourceStatus] = field(default_factory=dict)
    status: RunStatus
    code: str = "books"
    """Names the reason."""
    reason: str | None = None
    parked: ResourceState | None = None
    """Of a rate-limited run, the resource that goes on first."""
    blamed: Sequence[str] = ()
    """Of a failed run without a reason of its own, the resources whose first error is it; none are all."""


def judge(progress: Progress, *, fails_fast: bool, to_webhook: bool) -> Verdict:
    """Judge a live run.

    One error ends a run that fails fast: the reason is then that error, which the verdict does not repeat.

    A resource has ended when no unit of it is left and its parent, which could make more of them, has ended. The run
    has ended when all resources have, and nothing waits for delivery; it completes only when the books balance, and
    unless all that its roots asked the upstream for was refused.
    """
    resources = progress.resources
    if fails_fast and any(resource.counters.standing_errors for resource in resources):
        return Verdict(status=RunStatus.FAILED)
    ended = find_ended_resources(resources)
    live = [resource for resource in resources if not _is_final(resource, ended)]
    if live:
        units = sum(resource.live_units for resource in live)
        if units == 0 or units > sum(resource.parked_units for resource in live):
            return Verdict(ended=ended, status=RunStatus.RUNNING)
        return Verdict(ended=ended, status=RunStatus.RATE_LIMITED, parked=_first_to_wake(live))
    if progress.pending:
        return Verdict(ended=ended, status=RunStatus.RUNNING)
    if left_out := sum(resource.left_out for resource in resources):
        message = f"{left_out} units of work that the run had not finished were left out by errors_only"
        return Verdict(ended=ended, status=RunStatus.FAILED, code="unfinished", reason=message)
    if reason := _imbalance(resources, to_webhook=to_webhook):
        return Verdict(ended=ended, status=RunStatus.FAILED, reason=reason)
    if refused := _find_refused_roots(resources):
        return Verdict(ended=ended, status=RunStatus.FAILED, blamed=refused)
    return Verdict(ended=ended, status=RunStatus.COMPLETED)


def find_ended_resources(resources: Sequence[ResourceState]) -> dict[str, ResourceStatus]:
    """Return which resources have ended that are not noted as such, by id, and how."""
    ended: dict[str, ResourceStatus] = {}
    final_names = {resource.name for resource in resources if resource.status in FINAL_RESOURCE_STATUSES}
    for resource in resources:
        parent_has_ended = resource.parent_name is None or resource.parent_name in final_names
        if resource.name in final_names or resource.live_units or not parent_has_ended:
            continue
        got_nothing = resource.counters.standing_errors > 0 and resource.counters.fetched == 0
        ended[resource.id] = ResourceStatus.FAILED if got_nothing else ResourceStatus.COMPLETED
        final_names.add(resource.name)
    return ended


def _first_to_wake(resources: Sequence[ResourceState]) -> ResourceState | None:
    waking = [(resource.wakes_at, resource) for resource in resources if resource.wakes_at is not None]
    return min(waking, key=lambda pair: pair[0])[1] if waking else None


def _is_final(resource: ResourceState, ended: Mapping[str, ResourceStatus]) -> bool:
    return resource.status in FINAL_RESOURCE_STATUSES or resource.id in ended


def _find_refused_roots(resources: Sequence[ResourceState]) -> Sequence[str]:
    """Name the roots whose requests failed, where not one request of any root brought anything; else nobody.

    What was never sent says nothing: a placeholder that does not resolve, or a loop over nothing.
    """
    roots = [resource for resource in resources if resource.parent_name is None]
    if any(root.exchanges.answered or root.counters.pages for root in roots):
        return ()
    return [root.name for root in roots if root.exchanges.requests and root.counters.standing_errors]


def _imbalance(resources: Sequence[ResourceState], *, to_webhook: bool) -> str | None:
    for resource in resources:
        reason = books.find_imbalance(resource.counters, persisted=resource.persist, to_webhook=to_webhook)
        if reason:
            return f"{resource.name}: {reason}"
    return None
