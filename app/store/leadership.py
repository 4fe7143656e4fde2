"""Elect one leader among all daemons: the one whose session holds a Postgres advisory lock."""

from sqlalchemy import Connection, Engine, text

from app.engine.errors import StoreUnavailableError

# Any constant that nothing else in this database uses.
_LOCK_KEY = 7_208_113_402

_TRY = text("select pg_try_advisory_lock(:key)")

# A leader that is frozen would keep its session, and with it the lock, for ever.
_END_WHEN_SILENT = text("select set_config('idle_session_timeout', :milliseconds, false)")


class Leadership:
    """One daemon's wish to lead; Postgres frees the lock at once when its session ends, however it ends.

    Postgres ends the session of a leader that has not asked ``is_held`` for ``silence_seconds``. A sweep that takes
    longer costs the lead, which does no harm.
    """

    def __init__(self, engine: Engine, *, silence_seconds: float) -> None:
        self._engine = engine
        self._silence_seconds = silence_seconds
        self._connection: Connection | None = None

    def is_held(self) -> bool:
        """Hold on to the lead, or try to take it."""
        try:
            if self._connection is not None:
                self._connection.execute(text("select 1"))
                self._connection.commit()
                return True
            return self._take()
        except StoreUnavailableError:
            self.resign()
            raise

    def resign(self) -> None:
        """Let go of the lead."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Closing the session, not returning it to the pool, is what frees the lock.
            connection.invalidate()
            connection.close()

    def _take(self) -> bool:
        connection = self._engine.connect()
        if connection.execute(_TRY, {"key": _LOCK_KEY}).scalar_one():
            connection.execute(_END_WHEN_SILENT, {"milliseconds": f"{self._silence_seconds * 1000:.0f}"})
            connection.commit()
            self._connection = connection
            return True
        connection.close()
        return False
