"""Read files as the documentation says, and compare them by content with Postgres."""

import json
import re
from datetime import UTC
from pathlib import Path
from typing import Any, Final

import duckdb

from app.destinations.files.ports import ObjectStore
from tests.support.landing import Landing

_PAGE: Final = Path(__file__).parents[2] / "docs" / "files.md"
_SAME: Final = ("remote_id", "sequence", "account_id", "tenant_id")


def copy_store(store: ObjectStore, folder: Path) -> Path:
    """Copy all objects into a folder."""
    for name, size in store.list(""):
        content = store.get(name)
        assert content is not None
        assert len(content) == size
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read_lake(folder: Path, *, columns: str = "*", table: str = "acme/tickets") -> list[dict[str, Any]]:
    """Read a table of a folder by its manifest, with the statements of the documentation."""
    (statements,) = re.findall(r"```sql\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    with duckdb.connect() as connection:
        connection.sql("set TimeZone = 'UTC'")
        for statement in statements.replace("lake/", f"{folder}/").replace("acme/tickets", table).split(";\n"):
            if statement.strip():
                connection.execute(statement)
        cursor = connection.execute(f"select {columns} from tickets order by account_id, remote_id")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def show(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what has to be the same on both sides."""
    return [
        {
            **{name: str(row[name]) for name in _SAME},
            "data": json.loads(row["data"]) if isinstance(row["data"], str) else row["data"],
            "deleted_at": row["deleted_at"] and row["deleted_at"].astimezone(UTC),
        }
        for row in rows
    ]


def stored(landing: Landing, resource: str = "tickets") -> list[dict[str, Any]]:
    """Return what Postgres holds."""
    rows = landing.rows(
        "select r.integrated_account_id::text as account_id, a.tenant_id, r.remote_id, r.sequence, r.data, r.deleted_at"
        "  from record r join integrated_account a on a.id = r.integrated_account_id where r.resource = :resource"
        ' order by 1, r.remote_id collate "C"',
        resource=resource,
    )
    return show(rows)
