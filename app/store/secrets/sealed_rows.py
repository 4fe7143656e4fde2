"""Every row that holds something sealed, so that it can be sealed anew by another key while everything runs."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, Row, func, select, update

from app.engine.errors import UnreadableSecretError
from app.services.runs.conflicts import repeats_conflicts
from app.store.db.database import reading
from app.store.secrets import sealed_config
from app.store.secrets.bound_values import IN_JSON, WHOLE, Place, SealedColumn
from app.store.secrets.encryption import Cipher, key_id_of, prefix


@repeats_conflicts
class SealedRows:
    """Accounts, webhooks and integrations, as far as something in them is sealed."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def reseal_some(self, key_id: str, *, limit: int, unreadable: set[str]) -> int:
        """Seal some rows anew that another key has sealed, or none for its place; return how many were found.

        A row that somebody changes meanwhile is left to the next call: nothing is locked while a secret is worked on.
        One that does not open is named in ``unreadable`` and left as it is; those in it are passed over.
        """
        found = sum(self._reseal_whole(column, key_id, limit, unreadable) for column in WHOLE)
        return found + sum(self._reseal_in_json(column, key_id, limit, unreadable) for column in IN_JSON)

    def count_by_key(self) -> Mapping[str, int]:
        """Count the rows by the key that sealed them; of those without a data key, the id is empty."""
        counts: Counter[str] = Counter()
        with reading(self._engine) as connection:
            for column in WHOLE:
                # Only the beginning is read, which names the key.
                head = func.substring(column.table.c[column.name], 1, 24)
                for value in connection.execute(select(head).where(head.is_not(None))).scalars():
                    counts[key_id_of(value)] += 1
            for column in IN_JSON:
                for config in connection.execute(select(column.table.c[column.name])).scalars():
                    counts.update({key_id_of(token) for token in sealed_config.tokens(config)})
        return counts

    def _reseal_whole(self, column: SealedColumn, key_id: str, limit: int, unreadable: set[str]) -> int:
        start = prefix(key_id)
        head = func.substring(column.table.c[column.name], 1, len(start))
        left = head != start, column.table.c[column.identity].not_in(_ids_of(column, unreadable))
        with reading(self._engine) as connection:
            rows = connection.execute(_select(column).where(*left).limit(limit)).all()

        def reseal(sealed: bytes, place: Place) -> bytes:
            return self._cipher.seal(self._cipher.open(sealed, place), place)

        return self._replace(column, rows, reseal, unreadable)

    def _reseal_in_json(self, column: SealedColumn, key_id: str, limit: int, unreadable: set[str]) -> int:
        start = prefix(key_id)
        left = column.table.c[column.identity].not_in(_ids_of(column, unreadable))
        with reading(self._engine) as connection:
            rows = connection.execute(_select(column).where(left)).all()
        outdated = [row for row in rows if _is_outdated(row.value, start)]

        def reseal(config: Any, place: Place) -> Any:
            return sealed_config.seal_secrets(
                sealed_config.open_secrets(config, self._cipher, place), self._cipher, place
            )

        return self._replace(column, outdated[:limit], reseal, unreadable)

    def _replace(
        self,
        column: SealedColumn,
        rows: Sequence[Row[Any]],
        reseal: Callable[[Any, Place], Any],
        unreadable: set[str],
    ) -> int:
        table, name = column.table, column.name
        for row in rows:
            try:
                resealed = reseal(row.value, column.place(row.environment_id, row.identity))
            except UnreadableSecretError:
                unreadable.add(f"{table.name}.{name} {row.identity}")
                continue
            statement = update(table).where(table.c[column.identity] == row.identity, table.c[name] == row.value)
            with self._engine.begin() as connection:
                connection.execute(statement.values({name: resealed}))
        return len(rows)


def _ids_of(column: SealedColumn, unreadable: set[str]) -> Sequence[str]:
    """Return the ids of the rows of which a column's value does not open."""
    place = f"{column.table.name}.{column.name} "
    return [name.removeprefix(place) for name in unreadable if name.startswith(place)]


def _is_outdated(config: Any, start: bytes) -> bool:
    tokens = sealed_config.tokens(config)
    return not all(token.startswith(start) for token in tokens) or sealed_config.leaves_clear(config)


def _select(column: SealedColumn) -> Any:
    table = column.table
    return select(
        table.c.environment_id, table.c[column.identity].label("identity"), table.c[column.name].label("value")
    )
