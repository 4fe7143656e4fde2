"""Replace the key that seals credentials and secrets, while everything runs and whatever dies in the middle.

A new key is made current first: from then on every process seals with it. Then what other keys have sealed is sealed
anew, row by row; how far that is stands in the rows themselves, so that a rotation which broke off goes on. A row that
does not decrypt does not stop the others.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.services.maintenance.ports import Keys

logger = logging.getLogger(__name__)

_ROWS_AT_ONCE: Final = 100
_SETTLE_SECONDS: Final = 2.0
"""A transaction that sealed with the old key just before may take so long to be seen."""
_KEPT_SECONDS: Final = 3600.0
"""A retired key stays for so long: a row may come back by a transaction that hung."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """One key, and how many rows it seals."""

    id: str
    """Empty is the master key, for what was sealed before there were data keys."""
    created_at: datetime | None
    retired_at: datetime | None
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did."""

    key_id: str
    went_on: bool
    """It finished one that had broken off, and made no new key."""
    rows: int
    removed: Sequence[str]
    unreadable: Sequence[str] = ()
    """What does not open, by any key at hand, and stays as it is: a column and the id of its row."""


class KeyRotation:
    """Rotates keys; two at a time do no harm."""

    def __init__(
        self,
        *,
        keys: Keys,
        make_key: Callable[[str | None], tuple[str, bytes]],
        rewrap_key: Callable[[str, bytes], bytes],
        count_by_key: Callable[[], Mapping[str, int]],
        reseal_some: Callable[..., int],
        pause: Callable[[float], None],
    ) -> None:
        """``make_key`` makes a new key current in the place of an old one, and returns what is current then.

        ``rewrap_key`` wraps a key by the first master key. ``count_by_key`` counts what each key seals; the id of none
        is empty. ``reseal_some`` takes a key's id, ``limit`` and ``unreadable``: it seals some rows anew that another
        key has sealed, returns how many were found, names those that do not open in ``unreadable``, and skips them.
        """
        self._keys = keys
        self._make_key = make_key
        self._rewrap_key = rewrap_key
        self._count_by_key = count_by_key
        self._reseal_some = reseal_some
        self._pause = pause

    def list(self) -> Sequence[KeyUse]:
        """List the keys, the newest first, with how much each of them still seals."""
        counts = dict(self._count_by_key())
        uses = [
            KeyUse(id=key.id, created_at=key.created_at, retired_at=key.retired_at, rows=counts.get(key.id, 0))
            for key in self._keys.list()
        ]
        unkeyed = counts.get("", 0)
        return [*uses, KeyUse(id="", created_at=None, retired_at=None, rows=unkeyed)] if unkeyed else uses

    def rotate(self) -> Rotated:
        """Seal everything by a new key; or finish, with the present one, what an earlier rotation has left."""
        self._rewrap()
        unreadable = set[str]()
        current = self._keys.read_current()
        rows = self._reseal(current[0], unreadable) if current is not None and self._count_left(current[0]) else 0
        went_on = rows > 0
        key_id = current[0] if current is not None and went_on else self._make_key(current and current[0])[0]
        rows += self._reseal(key_id, unreadable)
        self._pause(_SETTLE_SECONDS)
        rows += self._reseal(key_id, unreadable)
        if not unreadable:
            # Nothing in the format before is left: from now on it is only what somebody has put back.
            self._keys.refuse_unbound()
        removed = self._remove_unused()
        return Rotated(key_id=key_id, went_on=went_on, rows=rows, removed=removed, unreadable=sorted(unreadable))

    def _rewrap(self) -> None:
        """Wrap every data key by the first master key, so that the others can be taken out of the setting."""
        for key_id, wrapped in self._keys.list_wrapped().items():
            self._keys.rewrap(key_id, self._rewrap_key(key_id, wrapped))

    def _count_left(self, key_id: str) -> int:
        return sum(rows for sealed_by, rows in self._count_by_key().items() if sealed_by != key_id)

    def _reseal(self, key_id: str, unreadable: set[str]) -> int:
        rows = len(unreadable)
        while found := self._reseal_some(key_id, limit=_ROWS_AT_ONCE, unreadable=unreadable):
            rows += found
        return rows - len(unreadable)

    def _remove_unused(self) -> Sequence[str]:
        counts = self._count_by_key()
        idle = [key.id for key in self._keys.list() if key.retired_at is not None and not counts.get(key.id)]
        return [key_id for key_id in idle if self._keys.remove(key_id, retired_for_seconds=_KEPT_SECONDS)]
