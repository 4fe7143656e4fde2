"""Compare what a watch finds with its open incidents: new ones open, others go on, and those that are over end."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, text

from app.engine.notifications import events
from app.engine.objects.notifications import Watch
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import Row, reading
from app.store.notifications import run_conditions, state_conditions

_OF_WHAT_HAPPENS: Final[Mapping[str, str]] = {
    events.RUN_FAILED: run_conditions.FAILED,
    events.RUN_FAILED_REPEATEDLY: run_conditions.FAILED_REPEATEDLY,
    events.RECORDS_QUARANTINED: run_conditions.QUARANTINED,
    events.RECORDS_FELL: run_conditions.RECORDS_FELL,
    events.SCHEMA_CHANGED: state_conditions.SCHEMA_CHANGED,
}
"""They return what is new since the watermark; an incident ends by what they return."""
_OF_WHAT_IS: Final[Mapping[str, str]] = {
    events.RUN_STALLED: run_conditions.STALLED,
    events.STALE: run_conditions.STALE,
    events.AUTHENTICATION_ERROR: state_conditions.NEEDS_REAUTH,
    events.WEBHOOK_DISABLED: state_conditions.WEBHOOK_DISABLED,
    events.WEBHOOK_BEHIND: state_conditions.WEBHOOK_BEHIND,
    events.DESTINATION_FAILING: state_conditions.DESTINATION_FAILING,
    events.DESTINATION_BEHIND: state_conditions.DESTINATION_BEHIND,
}
"""They return all that is so; an incident ends when they do not return it."""

_NO_RULE: Final = "'00000000-0000-0000-0000-000000000000'::uuid"
_OF_WATCH: Final = """
    notification_destination_id = :destination_id and event = :event and closed_at is null
    and notification_rule_id is not distinct from cast(:rule_id as uuid)
"""
# An account or a job that is gone ends the incidents of its runs: no later one would.
_ENDED_BY_RUNS: Final = """
    subject in (select subject from found where is_over)
    or integrated_account_id is not null
       and not exists (select from integrated_account a where a.id = incident.integrated_account_id)
    or facts ->> 'sync_job_id' is not null
       and not exists (select from sync_job j where cast(j.id as text) = incident.facts ->> 'sync_job_id')
"""
_ENDED_BY_STATE: Final = "subject not in (select subject from found)"

_WATCHES: Final = text("""
    select d.id, d.environment_id, d.type, d.event_types, r.id as rule_id, r.event, r.sync_job_id,
           r.integrated_account_id, r.config
      from notification_destination d left join notification_rule r on r.notification_destination_id = d.id
     where d.is_active and (r.id is null or r.is_active)
     order by d.id, r.id
""")
# A rule that is switched off is still one: its destination is told nothing by default.
_HAS_RULES: Final = text("select distinct notification_destination_id from notification_rule")

# One process at a time watches for a destination; whoever comes second does nothing.
LOCK: Final = text("""
    select id from notification_destination where id = :destination_id and is_active for no key update skip locked
""")
# One look may not keep all others waiting.
_BOUND: Final = text("set local statement_timeout = '30s'")
_SINCE: Final = text("""
    select now() as now, greatest(now() - interval '1 day', coalesce(
               (select w.watched_through from notification_watermark w where w.owner_id = owner.id), owner.created_at))
               as since
      from (select id, created_at from notification_rule where id = cast(:rule_id as uuid)
            union all
            select id, created_at from notification_destination
             where cast(:rule_id as uuid) is null and id = :destination_id) owner
""")
_WATCHED: Final = text("""
    insert into notification_watermark (owner_id, notification_destination_id, notification_rule_id, watched_through)
    values (coalesce(cast(:rule_id as uuid), :destination_id), :destination_id, cast(:rule_id as uuid), :now)
        on conflict (owner_id) do update set watched_through = excluded.watched_through
""")
# What is watched no more ends without a word.
_CLOSE_OTHERS: Final = text("""
    update incident set resolved_at = coalesce(resolved_at, now()), closed_at = now()
     where notification_destination_id = :destination_id and closed_at is null
           and coalesce(cast(notification_rule_id as text), 'default') || ' ' || event <> all(cast(:keys as text[]))
""")


def _reconcile(condition: str, over: str) -> str:
    return f"""
        with found as materialized ({condition}),
             kept as (
             insert into incident (
                    id, environment_id, notification_destination_id, notification_rule_id, event, subject, cause,
                    integrated_account_id, facts, count, opened_at)
             select gen_random_uuid(), :environment_id, :destination_id, cast(:rule_id as uuid), :event, subject,
                    left(cause, 200), account_id, facts, count, since
               from found where not is_over
                 on conflict (
                    notification_destination_id, coalesce(notification_rule_id, {_NO_RULE}), event, subject)
                    where closed_at is null
                 do update set facts = excluded.facts, count = excluded.count, last_seen_at = now(), resolved_at = null
              where incident.facts is distinct from excluded.facts or incident.count <> excluded.count
                    or incident.resolved_at is not null or incident.last_seen_at < now() - interval '10 minutes')
        update incident set resolved_at = now() where {_OF_WATCH} and resolved_at is null and ({over})
    """


_RECONCILE: Final = {
    **{event: text(_reconcile(condition, _ENDED_BY_RUNS)) for event, condition in _OF_WHAT_HAPPENS.items()},
    **{event: text(_reconcile(condition, _ENDED_BY_STATE)) for event, condition in _OF_WHAT_IS.items()},
}


@retry_conflicts
class IncidentStore:
    """What is wrong, for each watch."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_watched(self) -> Sequence[tuple[str, Sequence[Row]]]:
        """List the active destinations, each with the rows of its rules; one row without a rule stands for none."""
        with reading(self._engine) as connection:
            rows = connection.execute(_WATCHES).mappings().all()
            with_rules = {str(id) for id in connection.execute(_HAS_RULES).scalars()}
        found: dict[str, list[Row]] = {}
        for row in rows:
            id = str(row["id"])
            found.setdefault(id, [])
            if row["rule_id"] is not None or id not in with_rules:
                found[id].append(row)
        return list(found.items())

    def compare(self, watch: Watch) -> bool:
        """Compare what is so now with what was; return False when another process watches for the destination."""
        values = _values_of(watch)
        with self._engine.begin() as connection:
            if connection.execute(LOCK, values).first() is None:
                return False
            times = connection.execute(_SINCE, values).mappings().one_or_none()
            if times is None:
                return False
            connection.execute(_BOUND)
            connection.execute(_RECONCILE[watch.event], {**values, "since": times["since"]})
            if watch.event in _OF_WHAT_HAPPENS:
                connection.execute(_WATCHED, {**values, "now": times["now"]})
        return True

    def close_others(self, destination_id: str, watches: Sequence[Watch]) -> None:
        """End, without a word, what none of a destination's watches is about."""
        keys = [f"{watch.rule_id or 'default'} {watch.event}" for watch in watches]
        with self._engine.begin() as connection:
            connection.execute(_CLOSE_OTHERS, {"destination_id": destination_id, "keys": keys})


def _values_of(watch: Watch) -> dict[str, Any]:
    bounds = {"count": None, "minutes": None, "percent": None, **events.read_bounds(watch.event, watch.config)}
    return {
        **bounds,
        "destination_id": watch.destination_id,
        "environment_id": watch.environment_id,
        "rule_id": watch.rule_id,
        "event": watch.event,
        "job_id": watch.sync_job_id,
        "account_id": watch.integrated_account_id,
        "ignored": [str(status) for status in watch.ignored_statuses],
    }
