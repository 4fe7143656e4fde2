"""How connections to Postgres are made: by all that their URL says, and by what Ferryman asks of each.

A pooler such as PgBouncer lends a session of Postgres for a transaction at a time. It takes no ``options``, and what is
set for a session would hold for its next user. So over a pooler nothing is set for a session but the time
zone, which poolers keep for each of their clients, and the rest is set with each transaction's beginning, in one trip.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg import generators
from psycopg.abc import PQGen
from psycopg.pq import ExecStatus, TransactionStatus

from app import database_urls
from app.actors import Actor

_CONNECT_SECONDS: Final = 5
_NAME: Final = "ferryman"

# A process that is frozen in the middle of a transaction would keep its locks, which all daemons wait for.
LONGEST_IDLE: Final = "10s"
_OPTIONS: Final = f"-c timezone=UTC -c idle_in_transaction_session_timeout={LONGEST_IDLE}"
_SET_TIME_ZONE: Final = "set timezone to 'UTC'"
_SET_LOCAL: Final = f"; SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_IDLE}'".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Makes connections to one database."""

    url: str = field(repr=False)
    is_pooled: bool = False
    """A pooler lends a session for one transaction at a time."""
    prepares: bool = True
    """Statements may be prepared; not over a pooler that drops them."""
    actor: Actor | None = None
    """Who makes all changes, where no request says so."""

    def arguments(self, *, options: str = "") -> dict[str, Any]:
        """Return what psycopg connects by, with more settings for a session that is kept; those of the URL stay."""
        given = database_urls.read_arguments(self.url)
        arguments: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "application_name": _NAME, **given}
        if not self.is_pooled:
            # The last one wins, and nothing here works with another time zone.
            parts = (given.get("options", ""), _OPTIONS, options)
            arguments["options"] = " ".join(part for part in parts if part)
        if not self.prepares:
            arguments["prepare_threshold"] = None
        return arguments

    def open(self, **arguments: Any) -> psycopg.Connection[Any]:
        """Connect, by arguments from above and more that psycopg takes."""
        if not self.is_pooled:
            return psycopg.connect(**arguments)
        is_autocommit = arguments.pop("autocommit", False)
        connection = _LentConnection.connect(**arguments, autocommit=True)
        try:
            connection.execute(_SET_TIME_ZONE)
            connection.autocommit = is_autocommit
        except BaseException:
            connection.close()
            raise
        return connection


class _LentConnection(psycopg.Connection[Any]):
    """A pooler's connection, which sets at each transaction's beginning what elsewhere is set for its session."""

    def _start_query(self) -> PQGen[None]:
        """Begin a transaction if that is to be done: as psycopg does, but by two statements in one message."""
        if self._pipeline or self._autocommit or self.pgconn.transaction_status != TransactionStatus.IDLE:
            # Within a pipeline a message is one statement.
            yield from super()._start_query()
            return
        self._check_connection_ok()
        self.pgconn.send_query(self._get_tx_start_command() + _SET_LOCAL)
        for result in (yield from generators.execute(self.pgconn)):
            if result.status == ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result)
