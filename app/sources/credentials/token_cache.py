"""What one process knows of its accounts' tokens: the newest of each, the renewals under way, and those refused.

All of it lives on one event loop. A slice has read its account's context when it began; a token that was renewed since
is put in its place here, without a look at the database for every request.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

from app.engine.accounts import oauth
from app.engine.integrations.credentials import OAuthGrant
from app.engine.json_types import JsonObject
from app.engine.record_errors import InvalidGrantError, SourceError
from app.services.ports import CredentialKeeper, PageCall

K = TypeVar("K")
V = TypeVar("V")

_ACCOUNTS: Final = 1000
_STALE_TOKENS: Final = 20
_THREADS: Final = 4
_NOTED_EVERY_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Known:
    """One account's newest context, and the tokens that it replaces."""

    context: JsonObject
    origins: frozenset[str] | None = None
    """What its secrets are given for."""
    stale: OrderedDict[str | None, None] = field(default_factory=OrderedDict)


class TokenCache:
    """Gives calls their account's newest token, and has tokens renewed."""

    def __init__(self, keeper: CredentialKeeper, now: Callable[[], datetime]) -> None:
        self._keeper = keeper
        self._now = now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._renewals: dict[str, asyncio.Task[_Known]] = {}
        self._forbidden: OrderedDict[tuple[str, str | None], float] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str | None], float] = OrderedDict()
        self._accepted: OrderedDict[tuple[str, str | None], float] = OrderedDict()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ferryman-credentials")
        self._pid = os.getpid()

    async def fresh(self, call: PageCall) -> PageCall:
        """Return the call with a token that has not expired; raise SourceError when none is to be had."""
        self._leave_the_parents()
        call = self._newest(call)
        grant = oauth.choose_grant(call.config.grants, call.context)
        if grant is None or not oauth.is_due(grant, call.context, self._now()):
            return call
        try:
            return await self._renewed(call, grant)
        except SourceError as error:
            if error.retryable and oauth.find_access_token(call.context) is not None:
                # The token endpoint is away, the old token may still do.
                return call
            raise

    async def after_refusal(self, call: PageCall) -> PageCall | None:
        """Return the call with another token than the one that was answered 401; None when there can be none."""
        newest = self._newest(call)
        if oauth.find_access_token(newest.context) != oauth.find_access_token(call.context):
            return newest
        grant = oauth.choose_grant(call.config.grants, call.context)
        if grant is None or oauth.was_just_renewed(call.context, self._now()):
            return None
        return await self._renewed(call, grant)

    async def accept(self, call: PageCall) -> None:
        """Note, now and then, that a call succeeded of an account that had to be connected anew."""
        token = oauth.find_access_token(call.context)
        was_refused = call.is_refused or (call.account_id, token) in self._refused
        if not was_refused or not self._is_due(self._accepted, (call.account_id, call.name)):
            return
        if await self._in_thread(lambda: self._keeper.accept(call.account_id, token=token, call=call.name)):
            # The next refusal is news again.
            self._refused.pop((call.account_id, token), None)

    async def refuse(
        self, call: PageCall, reason: str, *, excerpt: str | None = None, was_made: bool = True
    ) -> SourceError:
        """Note, now and then, that the account has to be connected anew; return the error to raise."""
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

    async def forbid(self, call: PageCall) -> None:
        """Note that the account may not make such a call, now and then and not for each of many."""
        if not self._is_due(self._forbidden, (call.account_id, call.name)):
            return
        missing = oauth.list_missing_scopes(call.config.grants, call.context)
        await self._in_thread(
            lambda: self._keeper.forbid(
                call.account_id, resource=call.resource, method=call.method, missing_scopes=missing
            )
        )

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave_the_parents(self) -> None:
        """After a fork, neither the threads nor the renewals of the parent exist here."""
        if self._pid != os.getpid():
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ferryman-credentials")
            self._renewals = {}
            self._pid = os.getpid()

    def _is_due(self, noted: OrderedDict[tuple[str, str | None], float], key: tuple[str, str | None]) -> bool:
        """Whether something is to be noted: by the first of many who find it, for whom it counts as noted then."""
        now = self._now().timestamp()
        if now < noted.get(key, 0.0) + _NOTED_EVERY_SECONDS:
            return False
        noted[key] = now
        _bound(noted, _ACCOUNTS)
        return True

    def _newest(self, call: PageCall) -> PageCall:
        known = self._known.get(call.account_id)
        if known is None or oauth.find_access_token(call.context) not in known.stale:
            return call
        self._known.move_to_end(call.account_id)
        return _with(call, known)

    async def _renewed(self, call: PageCall, grant: OAuthGrant) -> PageCall:
        """Renew once for all calls that wait for it."""
        task = self._renewals.get(call.account_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._renew(call, grant))
            self._renewals[call.account_id] = task
            task.add_done_callback(lambda _done: self._renewals.pop(call.account_id, None))
        try:
            # One that gives up waiting does not end it for the others.
            return _with(call, await asyncio.shield(task))
        except InvalidGrantError as error:
            raise await self.refuse(call, error.message, was_made=False) from error

    async def _renew(self, call: PageCall, grant: OAuthGrant) -> _Known:
        stale = oauth.find_access_token(call.context)
        context = await self._in_thread(lambda: self._keeper.renew(call.account_id, grant, stale=stale))
        origins = call.origins
        if origins is not None:
            # Both of one moment: what somebody has entered meanwhile was given for other origins.
            context, origins = await self._in_thread(lambda: self._keeper.current(call.account_id))
        known = self._known.setdefault(call.account_id, _Known(context))
        known.context, known.origins = context, origins
        known.stale[stale] = None
        known.stale.pop(oauth.find_access_token(context), None)
        _bound(known.stale, _STALE_TOKENS)
        _bound(self._known, _ACCOUNTS)
        return known

    async def _in_thread(self, work: Callable[[], V]) -> V:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _with(call: PageCall, known: _Known) -> PageCall:
    origins = call.origins if known.origins is None else known.origins
    return replace(call, context=known.context, origins=origins)


def _bound(kept: OrderedDict[K, V], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
