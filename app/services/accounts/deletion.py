"""Delete accounts: out of sight at once, erased with all that is held of them later or at once, and back until then."""

from collections.abc import Sequence
from typing import Protocol

from app.engine.errors import ConflictError, Failure, InvalidInputError, NotFoundError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import RowVersion


class PresentAccounts(Protocol):
    """Keeps integrated accounts."""

    def delete(
        self,
        environment_id: EnvironmentId,
        account_id: str,
        *,
        erase_after_seconds: float,
        seen: RowVersion | None = None,
    ) -> bool:
        """Remove an account, to be erased so much later; tell whether there was one."""

    def delete_all(
        self, environment_id: EnvironmentId, account_ids: Sequence[str], *, erase_after_seconds: float
    ) -> Sequence[str]:
        """Remove accounts; or none, and tell the ids of which there is none."""


class DeletedAccounts(Protocol):
    """Keeps accounts that were deleted and are not erased yet."""

    def restore(self, environment_id: EnvironmentId, account_id: str) -> bool | None:
        """Bring an account back as it was; None where none waits, False where its integration is gone."""

    def hasten(self, environment_id: EnvironmentId, account_id: str) -> bool:
        """Let an account that was deleted be erased at once; tell whether there is one."""


class AccountDeletion:
    """Deletes accounts, and brings them back."""

    def __init__(self, present: PresentAccounts, deleted: DeletedAccounts, *, erase_after_seconds: float) -> None:
        self._present = present
        self._deleted = deleted
        self._erase_after_seconds = erase_after_seconds

    def delete(
        self,
        environment_id: EnvironmentId,
        account_id: str,
        *,
        erase_at_once: bool = False,
        seen: RowVersion | None = None,
    ) -> str:
        """Remove an account, which is erased with all that is held of it later or at once; raise NotFoundError."""
        seconds = self._seconds(erase_at_once=erase_at_once)
        is_done = self._present.delete(environment_id, account_id, erase_after_seconds=seconds, seen=seen)
        # One that was deleted before need not wait any longer either.
        if not (is_done or (erase_at_once and self._deleted.hasten(environment_id, account_id))):
            raise NotFoundError("integrated account", account_id)
        return account_id

    def delete_all(
        self, environment_id: EnvironmentId, account_ids: Sequence[str], *, erase_at_once: bool = False
    ) -> Sequence[str]:
        """Remove accounts as ``delete`` does; raise InvalidInputError, and remove none, when one is not there."""
        seconds = self._seconds(erase_at_once=erase_at_once)
        missing = frozenset(self._present.delete_all(environment_id, account_ids, erase_after_seconds=seconds))
        if missing:
            raise InvalidInputError(
                [
                    Failure(f"ids.{position}", f"integrated account '{id}' does not exist", missing_reference=True)
                    for position, id in enumerate(account_ids)
                    if id in missing
                ]
            )
        return account_ids

    def delete_present(
        self, environment_id: EnvironmentId, account_ids: Sequence[str], *, erase_at_once: bool = False
    ) -> Sequence[str]:
        """Remove those of some accounts that are there; return their ids."""
        seconds, left = self._seconds(erase_at_once=erase_at_once), list(account_ids)
        while left:
            missing = frozenset(self._present.delete_all(environment_id, left, erase_after_seconds=seconds))
            if not missing:
                break
            left = [id for id in left if id not in missing]
        return left

    def restore(self, environment_id: EnvironmentId, account_id: str) -> None:
        """Undo a deletion that is not carried out yet; raise InvalidInputError, or ConflictError that tells why not."""
        is_back = self._deleted.restore(environment_id, account_id)
        if is_back is None:
            message = f"no deleted account '{account_id}' waits to be erased"
            raise InvalidInputError([Failure("id", message, missing_reference=True)])
        if not is_back:
            raise ConflictError(f"the integration of account '{account_id}' was deleted meanwhile")

    def _seconds(self, *, erase_at_once: bool) -> float:
        return 0.0 if erase_at_once else self._erase_after_seconds
