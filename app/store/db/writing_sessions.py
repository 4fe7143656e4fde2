"""Sessions that write a page carry its claim as their name, so that they can be ended once the claim is gone.

A page may take as long as it takes while another session keeps its lease. A process that is frozen meanwhile keeps no
lease, but Postgres keeps its locks, the account's log among them: in the middle of a COPY it waits for its client
whatever timeout is set. So the leader ends sessions whose claim is no longer valid: nothing of theirs could be
committed.
"""

from typing import Any, Final

from psycopg import Cursor
from sqlalchemy import Engine, text

from app.engine.runs.work import Claim
from app.engine.status import UnitStatus
from app.store.db.database import reading

# Postgres cuts names at 63 characters; this leaves 12 for the token.
_PREFIX: Final = "ferryman page "
_UUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# What the process does between two statements may take longer than any other transaction is allowed to be idle.
_SETTINGS: Final = """
    set_config('application_name', %(name)s, true), set_config('idle_in_transaction_session_timeout', '0', true)
"""
_CLAIM: Final = (
    f"from unit where id = %(unit_id)s and fencing_token = %(fencing_token)s and status = '{UnitStatus.LEASED}'"
)

# Those of a moment ago may just have been committed, and still have their name. Anybody can give a session a name like
# it: what is no claim, or a session that this role may not end, would keep all others from being ended.
_END_ORPHANED: Final = text(f"""
    with writing as materialized (
        select pid, substr(application_name, {len(_PREFIX) + 1}) as claim from pg_stat_activity
         where datname = current_database() and usename = current_user
               and xact_start < now() - make_interval(secs => :older_than)
               and application_name ~ '^{_PREFIX}{_UUID}:[0-9]{{1,18}}$')
    select count(pg_terminate_backend(pid)) from writing
     where not exists (select from unit where id = cast(split_part(claim, ':', 1) as uuid)
                              and fencing_token = cast(split_part(claim, ':', 2) as bigint)
                              and status = '{UnitStatus.LEASED}' and lease_expires_at > now())
""")


def begin(cursor: Cursor[Any], claim: Claim, *, settings: str = "") -> None:
    """Name the transaction's session for its claim, and make other settings; no row is found when the claim is gone."""
    values = {
        "name": f"{_PREFIX}{claim.unit_id}:{claim.fencing_token}",
        "unit_id": claim.unit_id,
        "fencing_token": claim.fencing_token,
    }
    cursor.execute(f"select {_SETTINGS}{settings and f', {settings}'} {_CLAIM}", values)


class WritingSessions:
    """The sessions of all daemons that write a page at the moment."""

    def __init__(self, engine: Engine, *, older_than_seconds: float = 5.0) -> None:
        self._engine = engine
        self._older_than_seconds = older_than_seconds

    def end_orphaned(self) -> int:
        """End those whose claim is no longer valid; return how many there were."""
        with reading(self._engine) as connection:
            found = connection.execute(_END_ORPHANED, {"older_than": self._older_than_seconds}).scalar_one()
        return int(found)
