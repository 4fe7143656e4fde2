"""The data keys in Postgres, each wrapped by a master key that is not there."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.services.maintenance.ports import DataKey
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.audit_notes import note_of_key
from app.store.db.database import connect_unpooled, reading

_TABLE = tables.encryption_key
_REFUSED = tables.refused_seal
_UNBOUND: Final = "unbound"
"""The format that is bound to no place."""


@retry_conflicts
class KeyStore:
    """The data keys.

    Has connections of its own, made when needed, which is seldom: a secret is sealed and opened in the middle of other
    transactions, which must not wait for the pool that they have their connection from.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = connect_unpooled(engine)

    def read_current(self) -> tuple[str, bytes] | None:
        """Return the key that seals."""
        statement = select(_TABLE.c.id, _TABLE.c.wrapped).where(_TABLE.c.is_current)
        with reading(self._engine) as connection:
            row = connection.execute(statement).first()
        return (row.id, bytes(row.wrapped)) if row else None

    def find(self, key_id: str) -> bytes | None:
        """Return a key's wrapped form."""
        with reading(self._engine) as connection:
            wrapped = connection.execute(select(_TABLE.c.wrapped).where(_TABLE.c.id == key_id)).scalar_one_or_none()
        return None if wrapped is None else bytes(wrapped)

    def make_current(self, key_id: str, wrapped: bytes, *, instead_of: str | None) -> None:
        """Add a key that seals from now on, unless another one than ``instead_of`` does so already."""
        with self._engine.begin() as connection:
            retired = update(_TABLE).where(_TABLE.c.id == (instead_of or ""), _TABLE.c.is_current)
            connection.execute(retired.values(is_current=None, retired_at=func.now()))
            added = insert(_TABLE).values(id=key_id, wrapped=wrapped, is_current=True)
            added = added.on_conflict_do_nothing(index_elements=["is_current"])
            if connection.execute(added.returning(_TABLE.c.id)).first() and instead_of is not None:
                note_of_key(connection, key_id)

    def list(self) -> Sequence[DataKey]:
        """List the keys, the newest first."""
        columns = (_TABLE.c.id, _TABLE.c.created_at, _TABLE.c.retired_at)
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns).order_by(_TABLE.c.created_at.desc(), _TABLE.c.id)).all()
        return [DataKey(id=row.id, created_at=row.created_at, retired_at=row.retired_at) for row in rows]

    def list_wrapped(self) -> dict[str, bytes]:
        """Return all keys' wrapped forms by their ids."""
        with reading(self._engine) as connection:
            return {row.id: bytes(row.wrapped) for row in connection.execute(select(_TABLE.c.id, _TABLE.c.wrapped))}

    def rewrap(self, key_id: str, wrapped: bytes) -> None:
        """Replace a key's wrapped form."""
        with self._engine.begin() as connection:
            connection.execute(update(_TABLE).where(_TABLE.c.id == key_id).values(wrapped=wrapped))

    def refuses_unbound(self) -> bool:
        """Whether what is bound to no place is refused."""
        statement = select(_REFUSED.c.format).where(_REFUSED.c.format == _UNBOUND)
        with reading(self._engine) as connection:
            return connection.execute(statement).first() is not None

    def refuse_unbound(self) -> None:
        """Make all processes refuse what is bound to no place."""
        with self._engine.begin() as connection:
            connection.execute(insert(_REFUSED).values(format=_UNBOUND).on_conflict_do_nothing())

    def remove(self, key_id: str, *, retired_for_seconds: float) -> bool:
        """Remove a key that was retired so long ago; return whether it was."""
        statement = delete(_TABLE).where(
            _TABLE.c.id == key_id,
            _TABLE.c.retired_at
            < func.now() - text("make_interval(secs => :seconds)").bindparams(seconds=retired_for_seconds),
        )
        with self._engine.begin() as connection:
            return connection.execute(statement).rowcount == 1
