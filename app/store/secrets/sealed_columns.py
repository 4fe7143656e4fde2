"""Every column that holds something sealed, and how the place of a value in it is named."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table

from app.store import tables
from app.store.secrets.bound_values import Place, column_place


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of bytes that are sealed as a whole, or of JSON whose secret texts are."""

    table: Table
    name: str
    identity: str = "id"
    """The column that identifies its rows, and stays as it is for as long as a row lives."""
    bound_as: str = ""
    """The table that a value is bound to, where its row was moved from there; empty is the column's own."""

    def place(self, environment_id: object, identity: object) -> Place:
        """Return the place of a row's value; both ids as Postgres returns them."""
        return column_place(self.bound_as or self.table.name, self.name, environment_id, identity)


CONTEXT: Final = SealedColumn(tables.integrated_account, "context_encrypted")
ACCOUNT_OVERRIDE: Final = SealedColumn(tables.integrated_account, "integration_override")
# Deleted accounts as they were, so that they come back as they were.
DELETED_CONTEXT: Final = SealedColumn(tables.deleted_account, CONTEXT.name, bound_as=CONTEXT.table.name)
DELETED_OVERRIDE: Final = SealedColumn(tables.deleted_account, ACCOUNT_OVERRIDE.name, bound_as=CONTEXT.table.name)
WEBHOOK_SECRET: Final = SealedColumn(tables.webhook, "secret_encrypted")
WEBHOOK_PREVIOUS_SECRET: Final = SealedColumn(tables.webhook, "previous_secret_encrypted")
DATASTORE_CONFIG: Final = SealedColumn(tables.datastore, "config_encrypted")
CONFIG: Final = SealedColumn(tables.integration, "config")
# Read beside its integration, without its own id; there is one of each integration.
OVERRIDE: Final = SealedColumn(tables.environment_integration, "override", identity="integration_id")

WHOLE: Final = (CONTEXT, DELETED_CONTEXT, WEBHOOK_SECRET, WEBHOOK_PREVIOUS_SECRET, DATASTORE_CONFIG)
IN_JSON: Final = (CONFIG, OVERRIDE, ACCOUNT_OVERRIDE, DELETED_OVERRIDE)
