"""Triggers: when jobs run by themselves, in words and on a line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import flask

from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.fields import Listing as CursorQuery
from app.api.schemas.triggers import TriggerQuery
from app.engine.jobs import cron
from app.engine.logs.entries import LogType
from app.engine.objects.environments import Role
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.triggers import CronTrigger, TriggerOccurrence
from app.services.schedules.triggers import request_of
from app.ui import names
from app.ui.listing import CURSOR, PAGE, Listing, read_listing, read_query
from app.ui.rendering import find_page
from app.ui.screen import Done, Screens

triggers = Screens("triggers", title="Triggers", key="t", home="list_triggers")

DAY: Final = timedelta(hours=24)
WIDTH: Final = 288.0
_MOST_LISTED: Final = 10
_MOST_DUE: Final = 97
"""One that is due oftener than each quarter of an hour is shown as a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTime:
    """A due time on the line."""

    x: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTrigger:
    """A trigger, and when it is due within a day."""

    trigger: CronTrigger
    due: Sequence[DueTime]
    is_dense: bool
    """It is due too often for single marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggersPage:
    """A page of triggers."""

    found: Page[ShownTrigger]
    listing: Listing
    begins_at: datetime
    hours: Sequence[DueTime]
    jobs: Mapping[str, str]
    """What people call the jobs, by their ids."""
    tenants: Mapping[str, str]
    """Whose the accounts are, by their ids."""
    width: float = WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerPage:
    """A trigger."""

    trigger: CronTrigger
    due: Sequence[datetime]
    """Its next due times."""
    occurrences: Page[TriggerOccurrence]
    cursor: str | None


@triggers.page("/triggers", "triggers/list.html")
def list_triggers() -> TriggersPage:
    """List triggers, the newest first, with their due times of the next 24 hours."""
    listing, now = read_listing(TriggerQuery), datetime.now(UTC)
    page = services().triggers.list(environment(), listing.filters)
    shown = [_show(one, now) for one in page.result]
    return TriggersPage(
        found=Page(result=shown, next_cursor=page.next_cursor, limit=page.limit),
        listing=listing,
        begins_at=now,
        hours=_list_hours(now),
        jobs=names.name_jobs(one.sync_job_id for one in page.result),
        tenants=names.name_accounts(one.integrated_account_id for one in page.result),
    )


@triggers.page("/triggers/<id>", "triggers/trigger.html")
def show_trigger(id: str) -> TriggerPage:
    """Show a trigger, and what became of its due times."""
    trigger, now = services().triggers.get(environment(), path_id("sync job cron trigger", id)), datetime.now(UTC)
    due = cron.list_due(trigger.cron_expression, trigger.timezone, now, until=now + DAY, most=_MOST_LISTED)
    cursor = read_query(CursorQuery).get(CURSOR)
    filters = ListFilters(equal={"sync_job_cron_trigger_id": trigger.id}, limit=PAGE, cursor=cursor)
    occurrences = services().reading.logs.read(environment(), LogType.TRIGGERS, filters)
    return TriggerPage(trigger=trigger, due=due if trigger.enabled else (), occurrences=occurrences, cursor=cursor)


@triggers.action("/triggers/<id>/run")
def run_trigger(id: str) -> Done:
    """Create the run now that the trigger creates when it is due; its due times stay."""
    trigger = services().triggers.get(environment(), path_id("sync job cron trigger", id))
    run, _ = services().runs.create(environment(), request_of(trigger))
    return Done(address=find_page("run", run.id) or _address(id), notice="It runs now; its due times stay as they are.")


@triggers.action("/triggers/<id>/schedule")
def schedule_trigger(id: str) -> Done:
    """Have a trigger create runs from now on."""
    services().triggers.schedule(environment(), path_id("sync job cron trigger", id))
    return Done(address=_address(id), notice="It creates runs from now on.")


@triggers.action("/triggers/<id>/pause", needs=Role.ADMIN)
def pause_trigger(id: str) -> Done:
    """Have a trigger create no more runs."""
    services().triggers.update(environment(), path_id("sync job cron trigger", id), {"enabled": False})
    return Done(address=_address(id), notice="It is paused: it creates no more runs.")


def _show(trigger: CronTrigger, now: datetime) -> ShownTrigger:
    if not trigger.enabled:
        return ShownTrigger(trigger=trigger, due=(), is_dense=False)
    due = cron.list_due(trigger.cron_expression, trigger.timezone, now, until=now + DAY, most=_MOST_DUE)
    is_dense = len(due) >= _MOST_DUE
    return ShownTrigger(trigger=trigger, due=() if is_dense else [_place(one, now) for one in due], is_dense=is_dense)


def _place(moment: datetime, now: datetime) -> DueTime:
    return DueTime(x=round((moment - now) / DAY * WIDTH, 1), at=moment)


def _list_hours(now: datetime) -> Sequence[DueTime]:
    """List every sixth hour of the line."""
    first = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hours = [first + timedelta(hours=one) for one in range(24)]
    return [_place(one, now) for one in hours if one.hour % 6 == 0]


def _address(id: str) -> str:
    return flask.url_for(".show_trigger", id=id)
