"""Keep what was odd about a resource's lists: per code how often, and the first message."""

from collections.abc import Iterable
from typing import Any, Final

from psycopg import Cursor

from app.engine.records.outcomes import PageWarning


def counted(code: str, count: str, message: str) -> str:
    """Write the SQL that counts a warning into ``warnings`` by a number of SQL, which may be 0."""
    held = f"warnings -> {code}"
    return f"""
        case when {count} = 0 then warnings else warnings || jsonb_build_object({code}, jsonb_build_object(
             'count', coalesce(({held} ->> 'count')::bigint, 0) + {count},
             'message', coalesce({held} ->> 'message', {message}))) end
    """


_ADD: Final = f"""
    update run_resource set warnings = {counted("%(code)s::text", "%(count)s::bigint", "%(message)s::text")}
     where id = %(resource_id)s
"""


def add(cursor: Cursor[Any], resource_id: str, warnings: Iterable[PageWarning]) -> None:
    """Count warnings of a resource's lists within the caller's transaction."""
    for warning in warnings:
        values = {"code": warning.code, "count": warning.count, "message": warning.message}
        cursor.execute(_ADD, {**values, "resource_id": resource_id})
