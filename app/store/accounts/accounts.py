"""Integrated accounts in Postgres; their context is encrypted."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, bindparam, func, insert, null, select, update

from app.engine.errors import UnreadableSecretError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.paths import Path
from app.engine.status import AccountStatus
from app.engine.webhooks.events import REACTIVATED, draft_reactivated
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.accounts import tenants
from app.store.accounts.deleted import move_out
from app.store.announcements import announcements
from app.store.db import paging
from app.store.db.autocommit import autocommit_of
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object
from app.store.db.row_versions import demand, unchanged
from app.store.secrets import sealed_config
from app.store.secrets.bound_values import ACCOUNT_OVERRIDE, CONTEXT
from app.store.secrets.encryption import Cipher
from app.store.units.units import wake_account

_TABLE = tables.integrated_account
_ALL = select(_TABLE, tables.integration.c.name.label("integration_name")).join(
    tables.integration, tables.integration.c.id == _TABLE.c.integration_id
)
_ONE = _ALL.where(_TABLE.c.environment_id == bindparam("environment"), _TABLE.c.id == bindparam("id"))
_JOINED: Final = {"integration_name": tables.integration.c.name}

INACTIVE: Final = AccountStatus.INACTIVE.value
CLEAN: Final = {"status": AccountStatus.ACTIVE, "last_error": None, "last_forbidden_error": null()}
"""What an account with new credentials is taken for."""


@retry_conflicts
class AccountStore:
    """The integrated accounts of all environments."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def create(
        self,
        environment_id: EnvironmentId,
        id: str,
        values: Mapping[str, Any],
        *,
        context: JsonObject,
        plain_paths: frozenset[Path] = frozenset(),
    ) -> IntegratedAccount:
        """Write an account."""
        sealed = {
            "origins": _column(values.get("origins")),
            "id": id,
            "environment_id": environment_id,
            "context_encrypted": self._cipher.seal(context, CONTEXT.place(environment_id, id)),
            "plain_paths": _kept_paths(plain_paths),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(_TABLE).values({**self._seal(environment_id, id, values), **sealed}))
            tenants.ensure(connection, environment_id, values["tenant_id"])
        account = self.get(environment_id, id)
        assert account is not None
        return account

    def get(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount | None:
        """Read one account, credentials included."""
        row = autocommit_of(self._engine).one(_ONE, {"environment": environment_id, "id": account_id})
        return account_of(row, self._cipher) if row else None

    def inspect(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount | None:
        """Read one account for its owner: secrets that do not decrypt are left out, and reported."""
        row = autocommit_of(self._engine).one(_ONE, {"environment": environment_id, "id": account_id})
        return shown_account_of(row, self._cipher) if row else None

    def within(self, connection: Connection, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Read an account that is there within the caller's transaction."""
        selected = _select(environment_id).where(_TABLE.c.id == account_id)
        return self._account(connection.execute(selected).mappings().one())

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[IntegratedAccount]:
        """Read a page of accounts, which may be narrowed and sorted by ``integration_name`` as well."""
        statement = paging.narrow(_select(environment_id), _TABLE, filters, _JOINED)
        with reading(self._engine) as connection:
            return paging.read_page(
                connection,
                statement,
                _TABLE,
                self._show,
                limit=filters.limit,
                cursor=filters.cursor,
                sort=filters.sort,
                columns=_JOINED,
            )

    def update(
        self,
        environment_id: EnvironmentId,
        account_id: str,
        values: Mapping[str, Any],
        *,
        change_context: Callable[[JsonObject], JsonObject],
        change_origins: Callable[[IntegratedAccount], Collection[str] | None] | None = None,
        change_plain: Callable[[frozenset[Path] | None], frozenset[Path] | None] = lambda paths: paths,
        seen: RowVersion | None = None,
    ) -> IntegratedAccount | None:
        """Change an account; its row is locked meanwhile, so that of two changes of its context both count.

        ``change_origins`` sees the account as it was.
        """
        selected = _select(environment_id).where(_TABLE.c.id == account_id)
        locked = selected.where(unchanged(_TABLE, seen)).with_for_update(of=_TABLE)
        with self._engine.begin() as connection:
            row = connection.execute(locked).mappings().one_or_none()
            demand(row is not None, seen)
            if row is None:
                return None
            before = self._show(row)
            changed = {
                **self._seal(row["environment_id"], row["id"], values, row["integration_override"]),
                **self._seal_context(row, change_context(before.context), before.context, values),
                "plain_paths": _kept_paths(change_plain(before.plain_paths)),
                "updated_at": func.now(),
            }
            if change_origins is not None:
                changed["origins"] = _column(change_origins(before))
            connection.execute(update(_TABLE).where(_TABLE.c.id == account_id).values(**changed))
            if "tenant_id" in values:
                tenants.ensure(connection, environment_id, values["tenant_id"])
            account = self._show(connection.execute(selected).mappings().one())
            if row["status"] == AccountStatus.NEEDS_REAUTH and account.status == AccountStatus.ACTIVE:
                announce_reactivation(connection, account)
            if row["status"] == INACTIVE and account.status != INACTIVE:
                wake_account(connection, account_id)
            return account

    def record_origins(self, account_id: str, origins: Collection[str]) -> None:
        """Record what an account's secrets were given for, unless that is known already."""
        statement = update(_TABLE).where(_TABLE.c.id == account_id, _TABLE.c.origins.is_(None))
        with self._engine.begin() as connection:
            connection.execute(statement.values(origins=_column(origins)))

    def approve_origins(self, account_id: str, origins: Collection[str], hosts: Sequence[str] | None) -> None:
        """Replace what an account's secrets are given for, and those of its override."""
        statement = update(_TABLE).where(_TABLE.c.id == account_id)
        with self._engine.begin() as connection:
            connection.execute(statement.values(origins=_column(origins), override_origins=hosts))

    def find_anywhere(self, account_id: str) -> IntegratedAccount | None:
        """Read one account of any environment, for the operator."""
        with reading(self._engine) as connection:
            row = connection.execute(_ALL.where(_TABLE.c.id == account_id)).mappings().one_or_none()
        return self._account(row) if row else None

    def delete(
        self,
        environment_id: EnvironmentId,
        account_id: str,
        *,
        erase_after_seconds: float,
        seen: RowVersion | None = None,
    ) -> bool:
        """Remove an account, which is erased with all that is held of it so much later."""
        statement = select(_TABLE.c.id).where(_TABLE.c.environment_id == environment_id, _TABLE.c.id == account_id)
        with self._engine.begin() as connection:
            is_there = (
                connection.execute(statement.where(unchanged(_TABLE, seen)).with_for_update()).first() is not None
            )
            demand(is_there, seen)
            if is_there:
                move_out(connection, environment_id, [account_id], erase_after_seconds=erase_after_seconds)
        return is_there

    def delete_all(
        self, environment_id: EnvironmentId, account_ids: Sequence[str], *, erase_after_seconds: float
    ) -> Sequence[str]:
        """Remove accounts as ``delete`` does; or remove none, and return the ids that do not exist."""
        wanted = _TABLE.c.environment_id == environment_id, _TABLE.c.id.in_(account_ids)
        with self._engine.begin() as connection:
            found = {
                str(id) for id in connection.execute(select(_TABLE.c.id).where(*wanted).with_for_update()).scalars()
            }
            if missing := [id for id in account_ids if id not in found]:
                return missing
            move_out(connection, environment_id, sorted(found), erase_after_seconds=erase_after_seconds)
        return []

    def _seal(self, environment_id: str, id: str, values: Mapping[str, Any], stored: JSON = None) -> dict[str, Any]:
        if "integration_override" not in values:
            return dict(values)
        place = ACCOUNT_OVERRIDE.place(environment_id, id)
        override = sealed_config.seal_secrets(values["integration_override"], self._cipher, place, stored=stored)
        return {**values, "integration_override": override}

    def _seal_context(self, row: Row, new: JsonObject, old: JsonObject, values: Mapping[str, Any]) -> dict[str, Any]:
        if new == old:
            return {}
        # Whoever brings new credentials deserves that they are tried; but what rests goes on resting.
        status = {"status": INACTIVE} if values.get("status", row["status"]) == INACTIVE else {}
        place = CONTEXT.place(row["environment_id"], row["id"])
        return {"context_encrypted": self._cipher.seal(new, place), **CLEAN, **status}

    def _account(self, row: Row) -> IntegratedAccount:
        return account_of(row, self._cipher)

    def _show(self, row: Row) -> IntegratedAccount:
        return shown_account_of(row, self._cipher)


def account_of(row: Row, cipher: Cipher) -> IntegratedAccount:
    """Read an account's row, which has its ``integration_name`` beside its own columns.

    Raises UnreadableSecretError for one whose secrets do not decrypt.
    """
    return _account(row, context=_context(row, cipher), override=_override(row, cipher))


def shown_account_of(row: Row, cipher: Cipher) -> IntegratedAccount:
    """Read an account's row for its owner: secrets that do not decrypt are left out, and reported."""
    found: dict[str, JsonObject] = {"context": {}, "integration_override": {}}
    unreadable: dict[str, str] = {}
    for name, read in (("context", _context), ("integration_override", _override)):
        try:
            found[name] = read(row, cipher)
        except UnreadableSecretError as error:
            unreadable[name] = error.message
    account = _account(row, context=found["context"], override=found["integration_override"])
    if not unreadable:
        return account
    name, why = next(iter(unreadable.items()))
    reason = f"{UnreadableSecretError.code}: send its {name} again: {why}"
    status = account.status if account.status == INACTIVE else AccountStatus.NEEDS_REAUTH
    return replace(account, status=status, last_error=reason, unreadable=frozenset(unreadable))


def _context(row: Row, cipher: Cipher) -> JsonObject:
    context: JsonObject = cipher.open(row["context_encrypted"], CONTEXT.place(row["environment_id"], row["id"]))
    return context


def _override(row: Row, cipher: Cipher) -> JsonObject:
    place = ACCOUNT_OVERRIDE.place(row["environment_id"], row["id"])
    return sealed_config.open_secrets(row["integration_override"], cipher, place)


def _account(row: Row, *, context: JsonObject, override: JsonObject) -> IntegratedAccount:
    return build_object(
        IntegratedAccount,
        row,
        context=context,
        integration_override=override,
        origins=None if row["origins"] is None else frozenset(row["origins"]),
        plain_paths=_plain_paths(row),
    )


def _column(origins: Collection[str] | None) -> list[str] | None:
    return None if origins is None else sorted(origins)


def _kept_paths(paths: frozenset[Path] | None) -> list[Path] | None:
    return None if paths is None else sorted(paths)


def _plain_paths(row: Row) -> frozenset[Path] | None:
    paths = row["plain_paths"]
    return None if paths is None else frozenset(map(tuple, paths))


def announce_reactivation(connection: Connection, account: IntegratedAccount) -> None:
    """Announce that an account is connected again, within the caller's transaction."""
    announcements.announce(
        connection,
        account.environment_id,
        REACTIVATED,
        lambda to: draft_reactivated(account, to=to, at=account.updated_at),
    )


def _select(environment_id: EnvironmentId) -> Select[Any]:
    return _ALL.where(_TABLE.c.environment_id == environment_id)
