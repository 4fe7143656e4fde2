"""The credentials of integrated accounts under their rows' locks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Engine, Row, bindparam, case, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.accounts import oauth
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.record_errors import SourceError
from app.engine.status import AccountStatus
from app.engine.webhooks.events import AUTHENTICATION_ERROR
from app.services.accounts.ports import Announcement, LockedCredentials
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.accounts.accounts import AccountStore, announce_reactivation
from app.store.announcements import announcements
from app.store.secrets.bound_values import CONTEXT, Place
from app.store.secrets.encryption import Cipher

_TABLE = tables.integrated_account

_LOCK_SECONDS: Final = 40
"""Longer than a token endpoint may take; a process that is frozen meanwhile loses its lock then."""

# A new token does not activate an account that its owner has made inactive.
_WITH_TOKEN: Final = case(
    (_TABLE.c.status == AccountStatus.INACTIVE, AccountStatus.INACTIVE), else_=AccountStatus.ACTIVE
)
_REFUSED: Final = AccountStatus.NEEDS_REAUTH

# Of several calls that are refused, the first one stays recorded for as long as it is refused again.
_REFUSED_AGAIN = text("""
    update integrated_account set refused_at = now()
     where id = :id and (refused_call is null or refused_call = :call)
""")

_ACCEPT = text(f"""
    update integrated_account
       set status = '{AccountStatus.ACTIVE}', last_error = null, refused_call = null, refused_at = null,
           updated_at = now()
     where id = :id and status = '{AccountStatus.NEEDS_REAUTH}'
           and (refused_call is null or refused_call = :call
                or refused_call <> '' and refused_at < now() - make_interval(secs => :quiet_seconds))
""")

_NOTE_FORBIDDEN = text("""
    update integrated_account set last_forbidden_error = :error
     where id = (select id from integrated_account where id = :id for no key update skip locked)
""").bindparams(bindparam("error", type_=JSONB))


@retry_conflicts
class CredentialStore:
    """The credentials of all accounts."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher
        self._accounts = AccountStore(engine, cipher)

    @contextmanager
    def lock(self, account_id: str) -> Iterator[LockedCredentials]:
        """Lock an account; raise SourceError when it is gone. Rows that refer to it may be written meanwhile."""
        with self._engine.connect() as connection:
            connection.execute(text(f"set local idle_in_transaction_session_timeout = '{_LOCK_SECONDS}s'"))
            row = connection.execute(_select(account_id).with_for_update(key_share=True)).first()
            context = self._context(row, account_id)
            assert row is not None
            refused = EnvironmentId(str(row.environment_id)) if row.status == _REFUSED else None
            place = _place(row)

            def write(context: JsonObject, origins: frozenset[str] | None) -> None:
                changed = {} if origins is None else {"origins": sorted(origins)}
                statement = update(_TABLE).where(_TABLE.c.id == account_id)
                sealed = self._cipher.seal(context, place)
                connection.execute(
                    statement.values(
                        context_encrypted=sealed, status=_WITH_TOKEN, last_error=None, updated_at=func.now(), **changed
                    )
                )
                if refused is not None:
                    announce_reactivation(connection, self._accounts.within(connection, refused, account_id))
                connection.commit()

            origins = None if row.origins is None else frozenset(row.origins)
            yield LockedCredentials(context=context, origins=origins, write=write)

    def read_current(self, account_id: str) -> tuple[JsonObject, frozenset[str] | None]:
        """Read an account's context, and what its secrets were given for; raise SourceError when it is gone."""
        with self._engine.connect() as connection:
            row = connection.execute(_select(account_id)).first()
        context = self._context(row, account_id)
        assert row is not None
        return context, None if row.origins is None else frozenset(row.origins)

    def read_context(self, account_id: str) -> JsonObject:
        """Read an account's context; raise SourceError when it is gone."""
        return self.read_current(account_id)[0]

    def refuse(
        self, account_id: str, *, token: str | None, reason: str, call: str = "", announce: Announcement
    ) -> bool:
        """Record that an account has to be connected anew, with its events, if ``token`` is still its own."""
        with self._engine.begin() as connection:
            row = connection.execute(_select(account_id).with_for_update(key_share=True)).first()
            if row is None or row.status == AccountStatus.INACTIVE:
                return False
            if row.status == _REFUSED:
                connection.execute(_REFUSED_AGAIN, {"id": account_id, "call": call})
                return False
            context = self._context(row, account_id)
            if oauth.find_access_token(context) != token:
                return False
            noted = {"status": _REFUSED, "last_error": reason, "updated_at": func.now()}
            noted |= {"refused_call": call, "refused_at": func.now()}
            connection.execute(update(_TABLE).where(_TABLE.c.id == account_id).values(**noted))
            account = self._accounts.within(connection, row.environment_id, account_id)
            # Events of no run, even where a run was refused: it would wait for receivers that are not its own.
            announcements.announce(
                connection, row.environment_id, AUTHENTICATION_ERROR, lambda to: announce(account, to)
            )
        return True

    def accept(self, account_id: str, *, token: str | None, call: str, quiet_seconds: float) -> bool:
        """End the refusal of an account, on the terms of the port ``CredentialStore``, and announce it."""
        asked = {"id": account_id, "call": call, "quiet_seconds": quiet_seconds}
        with self._engine.begin() as connection:
            row = connection.execute(_select(account_id).with_for_update(key_share=True)).first()
            if row is None or row.status != _REFUSED:
                return True
            if oauth.find_access_token(self._context(row, account_id)) != token:
                return False
            if connection.execute(_ACCEPT, asked).rowcount != 1:
                return False
            announce_reactivation(connection, self._accounts.within(connection, row.environment_id, account_id))
        return True

    def record_forbidden(self, account_id: str, error: JsonObject) -> None:
        """Record the last call that was answered 403; a row that another transaction has locked is skipped."""
        with self._engine.begin() as connection:
            connection.execute(_NOTE_FORBIDDEN, {"id": account_id, "error": error})

    def _context(self, row: Row[Any] | None, account_id: str) -> JsonObject:
        if row is None:
            raise SourceError("needs_reauth", f"integrated account '{account_id}' was deleted")
        context: JsonObject = self._cipher.open(row.context_encrypted, _place(row))
        return context


def _place(row: Row[Any]) -> Place:
    return CONTEXT.place(row.environment_id, row.id)


def _select(account_id: str) -> Any:
    columns = (_TABLE.c.id, _TABLE.c.environment_id, _TABLE.c.status, _TABLE.c.context_encrypted, _TABLE.c.origins)
    return select(*columns).where(_TABLE.c.id == account_id)
