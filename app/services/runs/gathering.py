"""Let spools give on what they have gathered, once their parents have ended: decided under the run's lock."""

from dataclasses import replace
from typing import Protocol

from app.engine.jobs.items import NodeKind
from app.engine.objects.daemons import name_queue
from app.engine.objects.runs import SyncJobRun
from app.engine.runs import settling
from app.engine.runs.settling import Progress
from app.engine.runs.work import WakeUp


class Spools(Protocol):
    """The spools of a run whose row is locked."""

    def close_spool(self, resource_id: str) -> str | None:
        """Make a unit of what a spool has gathered, unless all of it was given on; give the unit's id."""


def close_spools(spools: Spools, run: SyncJobRun, progress: Progress) -> tuple[Progress, list[WakeUp]]:
    """Close the spools to which nothing more can come; give the progress with their units, and what to ring."""
    names = {item.get("name") for item in run.resources if item.get("type") == NodeKind.SPOOL}
    if not names:
        return progress, []
    wake_ups: list[WakeUp] = []
    resources = list(progress.resources)
    # Those behind a spool that is closed now have an open parent again.
    for position, resource in enumerate(resources):
        if resource.name not in names or resource.id not in settling.ended_resources(resources):
            continue
        if unit_id := spools.close_spool(resource.id):
            resources[position] = replace(resource, live_units=1)
            wake_ups.append(WakeUp(run_id=run.id, unit_id=unit_id, queue=name_queue(run.daemon_group_key)))
    return Progress(resources, progress.pending), wake_ups
