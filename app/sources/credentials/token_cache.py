"""The tokens of accounts in one process: the newest of each, the renewals under way, and those that were refused.

All of it lives on one event loop. A slice reads its account's context when it starts; a token that was renewed since
replaces the one in that context here, without a query for every request.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeVar

from app.engine.accounts import oauth
from app.engine.errors import FerrymanError
from app.engine.integrations.credentials import OAuthGrant
from app.engine.json_types import JsonObject
from app.engine.record_errors import InvalidGrantError, SourceError
from app.services.accounts.credentials import CredentialService
from app.services.ports import PageCall

K = TypeVar("K")
V = TypeVar("V")

_REFUSED: Final = "the upstream answered 401 Unauthorized"
_ACCOUNTS: Final = 1000
_STALE_TOKENS: Final = 20
_THREADS: Final = 4
_MOST_TRIES: Final = 5
"""Of one call, however often its token is renewed meanwhile."""
_REPLICATION_SECONDS: Final = 2.0
"""How long a new token may take to be known to all servers of an upstream."""
_RECORDED_EVERY_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Known:
    """One account's newest context, and the tokens that it replaces."""

    context: JsonObject
    origins: frozenset[str] | None = None
    """The origins that its secrets may be sent to."""
    stale: OrderedDict[str | None, None] = field(default_factory=OrderedDict)


class TokenCache:
    """Makes calls with their account's newest token, and renews tokens."""

    def __init__(
        self,
        keeper: CredentialService,
        now: Callable[[], datetime],
        *,
        replication_seconds: float = _REPLICATION_SECONDS,
    ) -> None:
        self._keeper = keeper
        self._now = now
        self._replication_seconds = replication_seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._renewals: dict[str, asyncio.Task[_Known]] = {}
        self._forbidden: OrderedDict[tuple[str, str | None], float] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str | None], float] = OrderedDict()
        self._accepted: OrderedDict[tuple[str, str | None], float] = OrderedDict()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ferryman-credentials")
        self._pid = os.getpid()

    async def run(self, call: PageCall, once: Callable[[PageCall], Awaitable[V]]) -> V:
        """Make a call with a fresh token, and again with another one as long as there is one when that is refused."""
        if call.config.find_method(call.resource, call.method).authorization is None:
            return await self._run_once(call, once)
        call = await self._refresh(call)
        has_paused = False
        for left in reversed(range(_MOST_TRIES)):
            try:
                return await self._run_accepted(call, once)
            except SourceError as error:
                if error.status != HTTPStatus.UNAUTHORIZED:
                    raise
                refusal = error
            if not left:
                break
            another = await self._find_another(call)
            if another is None and not has_paused and self._may_be_too_new(call):
                has_paused = True
                await asyncio.sleep(self._replication_seconds)
                another = self._find_newest(call)
            if another is None:
                break
            call = another
        raise await self._refuse(call, _REFUSED, excerpt=refusal.excerpt) from refusal

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run_accepted(self, call: PageCall, once: Callable[[PageCall], Awaitable[V]]) -> V:
        """Make a call, and record when credentials that were refused before are accepted."""
        answer = await self._run_once(call, once)
        # A record that can not be written is no reason to fail.
        with suppress(FerrymanError):
            await self._accept(call)
        return answer

    async def _run_once(self, call: PageCall, once: Callable[[PageCall], Awaitable[V]]) -> V:
        """Make a call, and record when the account is not allowed to."""
        try:
            return await once(call)
        except SourceError as error:
            if error.status == HTTPStatus.FORBIDDEN:
                with suppress(FerrymanError):
                    await self._forbid(call)
            raise

    async def _refresh(self, call: PageCall) -> PageCall:
        """Return the call with a token that has not expired; raise SourceError where there is none."""
        self._restart_after_fork()
        call = self._find_newest(call)
        grant = oauth.choose_grant(call.config.grants, call.context)
        if grant is None or not oauth.is_due(grant, call.context, self._now()):
            return call
        try:
            return await self._share_renewal(call, grant)
        except SourceError as error:
            if error.retryable and oauth.find_access_token(call.context) is not None:
                # The token endpoint is away, the old token may still do.
                return call
            raise

    async def _find_another(self, call: PageCall) -> PageCall | None:
        """Return the call with another token than the one that was refused; None when there is no other."""
        token = oauth.find_access_token(call.context)
        newest = self._find_newest(call)
        if oauth.find_access_token(newest.context) != token:
            return newest
        grant = oauth.choose_grant(call.config.grants, call.context)
        if grant is not None and not oauth.was_just_renewed(call.context, self._now()):
            return await self._share_renewal(call, grant)
        # Another process, or a person, may have written one since this call's context was read.
        context, origins = await self._in_thread(lambda: self._keeper.read_current(call.account_id))
        if oauth.find_access_token(context) == token:
            return None
        return _replace_context(call, self._remember(call, context, None if call.origins is None else origins))

    def _may_be_too_new(self, call: PageCall) -> bool:
        """Whether a refused token may not have reached all of the upstream's servers yet."""
        was_refused = (call.account_id, oauth.find_access_token(call.context)) in self._refused
        return oauth.was_just_renewed(call.context, self._now()) and not was_refused

    async def _accept(self, call: PageCall) -> None:
        """Record, at most once a minute, that a call succeeded for an account that needed to be reconnected."""
        token = oauth.find_access_token(call.context)
        was_refused = call.is_refused or (call.account_id, token) in self._refused
        if not was_refused or not self._is_due(self._accepted, (call.account_id, call.name)):
            return
        if await self._in_thread(lambda: self._keeper.accept(call.account_id, token=token, call=call.name)):
            # The next refusal is recorded at once.
            self._refused.pop((call.account_id, token), None)

    async def _refuse(
        self, call: PageCall, reason: str, *, excerpt: str | None = None, was_made: bool = True
    ) -> SourceError:
        """Record, at most once a minute, that the account needs to be reconnected; return the error to raise."""
        token = oauth.find_access_token(call.context)
        name = call.name if was_made else ""
        self._accepted.pop((call.account_id, name), None)
        if self._is_due(self._refused, (call.account_id, token)):
            await self._in_thread(
                lambda: self._keeper.refuse(call.account_id, token=token, reason=reason, run_id=call.run_id, call=name)
            )
        return SourceError(
            "needs_reauth",
            f"integrated account '{call.account_id}' has to be connected anew: {reason}",
            status=401,
            excerpt=excerpt,
        )

    async def _forbid(self, call: PageCall) -> None:
        """Record, at most once a minute, that the account is not allowed to make such a call."""
        if not self._is_due(self._forbidden, (call.account_id, call.name)):
            return
        missing = oauth.list_missing_scopes(call.config.grants, call.context)
        await self._in_thread(
            lambda: self._keeper.forbid(
                call.account_id, resource=call.resource, method=call.method, missing_scopes=missing
            )
        )

    def _restart_after_fork(self) -> None:
        """Replace the parent's threads and renewals, which do not exist in a forked process."""
        if self._pid != os.getpid():
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ferryman-credentials")
            self._renewals = {}
            self._pid = os.getpid()

    def _is_due(self, recorded: OrderedDict[tuple[str, str | None], float], key: tuple[str, str | None]) -> bool:
        """Whether something is to be recorded now; it counts as recorded then."""
        now = self._now().timestamp()
        if now < recorded.get(key, 0.0) + _RECORDED_EVERY_SECONDS:
            return False
        recorded[key] = now
        _drop_oldest(recorded, _ACCOUNTS)
        return True

    def _find_newest(self, call: PageCall) -> PageCall:
        known = self._known.get(call.account_id)
        if known is None or oauth.find_access_token(call.context) not in known.stale:
            return call
        self._known.move_to_end(call.account_id)
        return _replace_context(call, known)

    async def _share_renewal(self, call: PageCall, grant: OAuthGrant) -> PageCall:
        """Renew a token once for all calls that wait for it."""
        task = self._renewals.get(call.account_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._renew(call, grant))
            self._renewals[call.account_id] = task
            task.add_done_callback(lambda _done: self._renewals.pop(call.account_id, None))
        try:
            # One that gives up waiting does not end it for the others.
            return _replace_context(call, await asyncio.shield(task))
        except InvalidGrantError as error:
            raise await self._refuse(call, error.message, was_made=False) from error

    async def _renew(self, call: PageCall, grant: OAuthGrant) -> _Known:
        stale = oauth.find_access_token(call.context)
        context = await self._in_thread(lambda: self._keeper.renew(call.account_id, grant, stale=stale))
        origins = call.origins
        if origins is not None:
            # Read together: credentials that were entered meanwhile belong to other origins.
            context, origins = await self._in_thread(lambda: self._keeper.read_current(call.account_id))
        return self._remember(call, context, origins)

    def _remember(self, call: PageCall, context: JsonObject, origins: frozenset[str] | None) -> _Known:
        """Keep an account's newest context, which replaces the one of a call."""
        stale = oauth.find_access_token(call.context)
        known = self._known.setdefault(call.account_id, _Known(context))
        known.context, known.origins = context, origins
        known.stale[stale] = None
        known.stale.pop(oauth.find_access_token(context), None)
        _drop_oldest(known.stale, _STALE_TOKENS)
        _drop_oldest(self._known, _ACCOUNTS)
        return known

    async def _in_thread(self, work: Callable[[], V]) -> V:
        # With what is bound to log lines and spans here.
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)


def _replace_context(call: PageCall, known: _Known) -> PageCall:
    origins = call.origins if known.origins is None else known.origins
    return replace(call, context=known.context, origins=origins)


def _drop_oldest(kept: OrderedDict[K, V], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
