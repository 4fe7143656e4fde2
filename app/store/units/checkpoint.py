"""The end of each page's write: the unit's frontier moves on under the fence, and the resource's counters grow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import text

from app.engine.errors import LeaseLostError
from app.engine.records.outcomes import PageWarning
from app.engine.records.rows import encode
from app.engine.runs.books import Counters
from app.engine.runs.settling import Exchanges
from app.engine.runs.work import PageWrite
from app.engine.status import ResourceStatus, UnitStatus
from app.store import tables

MOVE_FRONTIER: Final = f"""
    update unit
       set frontier = %(frontier)s::jsonb, pages = pages + %(pages)s, attempts = 0, updated_at = now(),
           idle_slices = case when %(has_progress)s then 0 else idle_slices end,
           status = coalesce(%(end)s::text, status),
           lease_expires_at = case when %(end)s::text is null
                                   then clock_timestamp() + make_interval(secs => %(lease_seconds)s) end
     where id = %(unit_id)s and fencing_token = %(fencing_token)s and status = '{UnitStatus.LEASED}'
"""
"""Move a unit on past a page, which may have taken a minute: it changes one row, or none when its lease is gone."""


_NO_FACTS: Final = {
    "first": None,
    "last": None,
    "expected": None,
    "has_paged": False,
    "reading": "{}",
    "has_gaps": False,
    **asdict(Exchanges()),
}


def adding(amounts: Mapping[str, str]) -> str:
    """Return the SQL that adds to a resource's counters and list facts; ``amounts`` are SQL, by counter.

    A counter without one takes a parameter of its own name. A resource that counts has begun.
    """
    sums = ", ".join(f"{name} = {name} + {amounts.get(name, f'%({name})s')}" for name in tables.COUNTERS)
    return f"""{sums},
           status = case when status = '{ResourceStatus.WAITING}' then '{ResourceStatus.RUNNING}' else status end,
           started_at = coalesce(started_at, now()), heard_at = now(),
           expected = coalesce(expected + %(expected)s::bigint, %(expected)s::bigint, expected),
           has_paged = has_paged or %(has_paged)s, has_gaps = has_gaps or %(has_gaps)s,
           reading = reading || %(reading)s::jsonb,
           requests = requests + %(requests)s, answered = answered + %(answered)s,
           answer_ms = answer_ms + %(answer_ms)s
    """


def adding_warning(code: str, count: str, message: str) -> str:
    """Return the SQL that adds to ``warnings`` a number of warnings, which may be 0, and keeps the first message."""
    held = f"warnings -> {code}"
    return f"""
        case when {count} = 0 then warnings else warnings || jsonb_build_object({code}, jsonb_build_object(
             'count', coalesce(({held} ->> 'count')::bigint, 0) + {count},
             'message', coalesce({held} ->> 'message', {message}))) end
    """


# Least and greatest ignore nulls.
_COUNT: Final = f"""
    update run_resource
       set {adding({})}, first_sequence = least(first_sequence, %(first)s::bigint),
           last_sequence = greatest(last_sequence, %(last)s::bigint)
     where id = %(resource_id)s
"""

_WARN: Final = f"""
    update run_resource set warnings = {adding_warning("%(code)s::text", "%(count)s::bigint", "%(message)s::text")}
     where id = %(resource_id)s
"""


_COUNT_SKIPPED: Final = """
    update run_resource set skipped = skipped + %(skipped)s, errors = errors + %(errors)s where id = %(resource_id)s
"""

HAS_PAGED: Final = text("""
    select exists (
        select from run_resource own join sync_job_run run on run.id = own.run_id
               join sync_job_run past on past.integrated_account_id = run.integrated_account_id
               join run_resource other on other.run_id = past.id
         where own.id = :resource_id and other.resource = own.resource and other.method = own.method
               and other.has_paged) as has_paged
""")


def fence_values(page: PageWrite) -> dict[str, object]:
    """Return what ``MOVE_FRONTIER`` takes."""
    return {
        "frontier": encode(page.frontier).decode(),
        "pages": page.counters.pages,
        "end": page.end,
        "has_progress": page.has_progress,
        "lease_seconds": page.lease_seconds,
        "unit_id": page.claim.unit_id,
        "fencing_token": page.claim.fencing_token,
    }


def list_values(page: PageWrite) -> dict[str, object]:
    """Return what ``adding`` takes of a page's list and of its requests."""
    known = {name: getattr(page, name) for name in ("expected", "has_paged", "has_gaps")}
    reading = encode({one.way: one.reason for one in page.readings}).decode()
    return {**known, "reading": reading, **asdict(page.exchanges)}


def count(cursor: Cursor[Any], resource_id: str, counters: Counters, facts: Mapping[str, object] = _NO_FACTS) -> None:
    """Add to a resource's counters, and to what else is known of it, within the caller's transaction."""
    amounts = {name: getattr(counters, name) for name in tables.COUNTERS}
    cursor.execute(_COUNT, {**_NO_FACTS, **facts, **amounts, "resource_id": resource_id})


def warn(cursor: Cursor[Any], resource_id: str, warnings: Iterable[PageWarning]) -> None:
    """Count warnings of a resource's lists within the caller's transaction."""
    for warning in warnings:
        values = {"code": warning.code, "count": warning.count, "message": warning.message}
        cursor.execute(_WARN, {**values, "resource_id": resource_id})


def move_frontier(cursor: Cursor[Any], page: PageWrite) -> None:
    """Move a unit on past a page; raise LeaseLostError when another worker holds its lease by now."""
    if cursor.execute(MOVE_FRONTIER, fence_values(page)).rowcount != 1:
        raise LeaseLostError


def count_page(
    cursor: Cursor[Any], page: PageWrite, counters: Counters, *, numbers: Sequence[int], replaced: int
) -> None:
    """Add a page to its resource: what it counts, what is known of its list, its part of the account's log.

    Then the requests of children that its failed requests keep from being made, with each child.
    """
    resource_id = page.claim.resource_id
    assert resource_id is not None
    first, last = (numbers[0], numbers[-1]) if numbers else (None, None)
    count(cursor, resource_id, counters, {**list_values(page), "first": first, "last": last})
    collisions = [replace(page.collision, count=replaced)] if replaced and page.collision is not None else []
    warn(cursor, resource_id, [*page.warnings, *collisions])
    for child_id, skipped in page.skipped.items():
        errors = page.child_errors.get(child_id, 0)
        cursor.execute(_COUNT_SKIPPED, {"resource_id": child_id, "skipped": skipped, "errors": errors})
