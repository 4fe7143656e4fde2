"""Which event last sent a record to a webhook: handed over as events split or merge, withdrawn as one is lost.

An event that is given up, or cancelled with its run, withdraws its records, so that the next run sends them again.
Whoever writes here holds the account's log.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from app.engine.status import DeliveryStatus
from app.store.records import account_log

_ACCOUNT_OF_CHANGES: Final = text("select integrated_account_id from sync_job_run where id = :run_id and changes_only")

_ACCOUNTS: Final = "select distinct integrated_account_id from delivery where remote_ids is not null and "

_WITHDRAW: Final = """
    with sent as (
             select delivery.id, delivery.webhook_id, delivery.integrated_account_id, run_resource.resource,
                    unnest(delivery.remote_ids) as remote_id
               from delivery join run_resource on run_resource.id = delivery.resource_id
              where delivery.remote_ids is not null and {which}),
         new as (
             delete from webhook_record using sent
              where {same} and webhook_record.is_new)
    update webhook_record set content_hash = '', deleted_at = null from sent
     where {same} and not webhook_record.is_new
"""

_SAME: Final = """
    webhook_record.webhook_id = sent.webhook_id
    and webhook_record.integrated_account_id = sent.integrated_account_id
    and webhook_record.resource = sent.resource and webhook_record.remote_id = sent.remote_id
    and webhook_record.delivery_id = sent.id
"""

_HAND_OVER: Final = """
    update webhook_record set delivery_id = {to}
      from (select delivery.id, delivery.webhook_id, delivery.integrated_account_id, run_resource.resource,
                   unnest(delivery.remote_ids) as remote_id
              from delivery join run_resource on run_resource.id = delivery.resource_id
             where delivery.id = any(cast(:other_ids as uuid[])) and delivery.remote_ids is not null) other
     where webhook_record.webhook_id = other.webhook_id
           and webhook_record.integrated_account_id = other.integrated_account_id
           and webhook_record.resource = other.resource and webhook_record.remote_id = other.remote_id
           and webhook_record.delivery_id = {from_}
"""
_TO_PARTS: Final = text(_HAND_OVER.format(to="other.id", from_=":id"))
_FROM_OTHERS: Final = text(_HAND_OVER.format(to=":id", from_="other.id"))

_ONE: Final = "delivery.id = :id"
_WAITING: Final = f"delivery.run_id = :id and delivery.status = '{DeliveryStatus.PENDING}'"


def lock_of_event(connection: Connection, delivery_id: str) -> None:
    """Keep the records of an event from changing until the transaction ends."""
    for account_id in connection.execute(text(_ACCOUNTS + _ONE), {"id": delivery_id}).scalars():
        account_log.allocate(connection, str(account_id), 0)


def hand_over(connection: Connection, delivery_id: str, part_ids: Sequence[str]) -> None:
    """Hand the records of an event over to its parts; they were locked before."""
    connection.execute(_TO_PARTS, {"id": delivery_id, "other_ids": list(part_ids)})


def take_over(connection: Connection, delivery_id: str, other_ids: Sequence[str]) -> None:
    """Assign the records of other events to an event; they are locked, and still there."""
    connection.execute(_FROM_OTHERS, {"id": delivery_id, "other_ids": list(other_ids)})


def withdraw(connection: Connection, delivery_id: str) -> None:
    """Withdraw the records of an event that its webhook will not get."""
    _withdraw(connection, _ONE, delivery_id)


def lock_of_run(connection: Connection, run_id: str) -> None:
    """Keep what the webhook of a run knows from changing until the transaction ends: locked before the run's units."""
    account_id = connection.execute(_ACCOUNT_OF_CHANGES, {"run_id": run_id}).scalar_one_or_none()
    if account_id is not None:
        account_log.allocate(connection, str(account_id), 0)


def withdraw_waiting(connection: Connection, run_id: str) -> None:
    """Withdraw the records of the waiting events of a run, which nobody will send."""
    _withdraw(connection, _WAITING, run_id)


def _withdraw(connection: Connection, which: str, id: str) -> None:
    accounts = connection.execute(text(_ACCOUNTS + which), {"id": id}).scalars().all()
    for account_id in accounts:
        account_log.allocate(connection, str(account_id), 0)
    if accounts:
        connection.execute(text(_WITHDRAW.format(which=which, same=_SAME)), {"id": id})
