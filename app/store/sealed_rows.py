"""Every row that holds something sealed, so that it can be sealed anew by another key while everything runs."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Column, Engine, Table, func, select, update

from app.store import sealed_config, tables
from app.store.database import reading
from app.store.encryption import Cipher, key_id_of, prefix

# Whole columns of bytes; each table's id is its key.
_COLUMNS: tuple[tuple[Table, str], ...] = (
    (tables.integrated_account, "context_encrypted"),
    (tables.webhook, "secret_encrypted"),
)


# Columns of JSON, whose secret texts alone are sealed.
_CONFIGS: tuple[tuple[Table, str], ...] = (
    (tables.integration, "config"),
    (tables.environment_integration, "override"),
    (tables.integrated_account, "integration_override"),
)


class SealedRows:
    """Accounts, webhooks and integrations, as far as something in them is sealed."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def reseal_some(self, key_id: str, *, limit: int) -> int:
        """Seal some rows anew that another key has sealed; tell how many were found.

        A row that somebody changes meanwhile is left to the next call: nothing is locked while a secret is worked on.
        """
        found = sum(self._reseal_column(table, name, key_id, limit) for table, name in _COLUMNS)
        return found + sum(self._reseal_configs(table, name, key_id, limit) for table, name in _CONFIGS)

    def count_by_key(self) -> Mapping[str, int]:
        """Count the rows by the key that sealed them; of those without a data key, the id is empty."""
        counts: Counter[str] = Counter()
        with reading(self._engine) as connection:
            for table, name in _COLUMNS:
                # Only the beginning is read, which names the key.
                head = func.substring(table.c[name], 1, 24)
                for value in connection.execute(select(head)).scalars():
                    counts[key_id_of(value)] += 1
            for table, name in _CONFIGS:
                for config in connection.execute(select(table.c[name])).scalars():
                    counts.update(set(sealed_config.key_ids(config)))
        return counts

    def _reseal_column(self, table: Table, name: str, key_id: str, limit: int) -> int:
        column: Column[Any] = table.c[name]
        start = prefix(key_id)
        outdated = select(table.c.id, column).where(func.substring(column, 1, len(start)) != start).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(outdated).all()
        return self._replace(table, name, rows, lambda sealed: self._cipher.seal(self._cipher.open(sealed)))

    def _reseal_configs(self, table: Table, name: str, key_id: str, limit: int) -> int:
        with reading(self._engine) as connection:
            rows = connection.execute(select(table.c.id, table.c[name].label("config"))).all()
        outdated = [row for row in rows if set(sealed_config.key_ids(row.config)) - {key_id}][:limit]
        return self._replace(
            table,
            name,
            outdated,
            lambda config: sealed_config.sealed(sealed_config.opened(config, self._cipher), self._cipher),
        )

    def _replace(self, table: Table, name: str, rows: Any, reseal: Callable[[Any], Any]) -> int:
        column: Column[Any] = table.c[name]
        for id, old in rows:
            statement = update(table).where(table.c.id == id, column == old).values({name: reseal(old)})
            with self._engine.begin() as connection:
                connection.execute(statement)
        return len(rows)
