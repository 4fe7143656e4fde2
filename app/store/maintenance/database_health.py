"""Read what Postgres shows of itself: connections, long transactions, dead rows, its clock, who leads."""

import time
from typing import Final

from sqlalchemy import Engine, inspect, text

from app.services.diagnosis.findings import DatabaseFacts
from app.services.runs.conflicts import retry_conflicts
from app.store.db import leadership, migrate
from app.store.db.database import reading
from app.store.tables import metadata

_FACTS: Final = text("""
    select current_setting('server_version') as version,
           pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on' as is_read_only,
           (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
               as most_connections,
           pg_database_size(current_database()) as size_bytes,
           coalesce((select extract(epoch from max(clock_timestamp() - xact_start))::float8 from pg_stat_activity
                      where datname = current_database() and pid <> pg_backend_pid()), 0)
               as longest_transaction_seconds,
           extract(epoch from clock_timestamp())::float8 as clock
""")
_DEAD_ROWS: Final = text("""
    select relname, n_dead_tup, n_live_tup from pg_stat_user_tables
     where schemaname = current_schema() and relname = any(:tables) and n_dead_tup > 1000
     order by n_dead_tup desc
""")
_HAS_LEADER: Final = text("""
    select exists (select from pg_locks
                    where locktype = 'advisory' and granted
                          and database = (select oid from pg_database where datname = current_database())
                          and (classid::bigint << 32) + objid::bigint = :lead)
""")
_REVISION: Final = text("select version_num from alembic_version")


@retry_conflicts
class DatabaseHealth:
    """The facts of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def has_leader(self) -> bool:
        """Whether a daemon leads; raise StoreUnavailableError."""
        with reading(self._engine) as connection:
            return bool(connection.execute(_HAS_LEADER, {"lead": leadership.LOCKS["lead"]}).scalar_one())

    def read(self) -> DatabaseFacts:
        """Read them; raise StoreUnavailableError."""
        with reading(self._engine) as connection:
            begun = time.time()
            facts = dict(connection.execute(_FACTS).mappings().one())
            middle = (begun + time.time()) / 2
            has_schema = inspect(connection).has_table("alembic_version")
            dead = connection.execute(_DEAD_ROWS, {"tables": list(metadata.tables)})
            return DatabaseFacts(
                skew_seconds=facts.pop("clock") - middle,
                revision=connection.execute(_REVISION).scalar_one_or_none() if has_schema else None,
                newest_revision=migrate.find_newest_revision(),
                dead_rows={table: (dead_rows, live) for table, dead_rows, live in dead},
                has_leader=connection.execute(_HAS_LEADER, {"lead": leadership.LOCKS["lead"]}).scalar_one(),
                **facts,
            )
