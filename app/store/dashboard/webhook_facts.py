"""How webhooks take their deliveries: of each so many of the newest, by the index that lists them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, Row, text

from app.engine.status import DeliveryStatus
from app.services.dashboard.facts import Backlog
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading

_FAILED: Final = f"('{DeliveryStatus.DEAD_LETTERED}', '{DeliveryStatus.QUARANTINED}')"
_BACKLOGS: Final = text(f"""
    select webhook.id, found.*
      from unnest(cast(:ids as uuid[])) webhook (id)
     cross join lateral (
           select count(*) as counted,
                  count(*) filter (where status = '{DeliveryStatus.PENDING}') as pending,
                  count(*) filter (where status in {_FAILED}) as failed,
                  count(*) filter (where status = '{DeliveryStatus.DELIVERED}') as delivered,
                  min(created_at) filter (where status = '{DeliveryStatus.PENDING}') as oldest_pending_at,
                  (array_agg(extract(epoch from delivered_at - created_at) order by created_at desc)
                   filter (where delivered_at is not null))[\\:60] as latencies
             from (select status, created_at, delivered_at from delivery
                    where webhook_id = webhook.id order by created_at desc, id desc limit :most) newest) found
""")


@retry_conflicts
class WebhookFacts:
    """The deliveries of all webhooks; who asks has checked that the webhooks are the environment's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count_backlogs(self, webhook_ids: Sequence[str], *, most: int) -> Mapping[str, Backlog]:
        """Count the newest deliveries of some webhooks."""
        if not webhook_ids:
            return {}
        with reading(self._engine) as connection:
            rows = connection.execute(_BACKLOGS, {"ids": list(webhook_ids), "most": most}).all()
        return {str(row.id): _build(row, most) for row in rows}


def _build(row: Row[Any], most: int) -> Backlog:
    return Backlog(
        counted=row.counted,
        is_capped=row.counted >= most,
        pending=row.pending,
        failed=row.failed,
        delivered=row.delivered,
        oldest_pending_at=row.oldest_pending_at,
        latencies=[float(one) for one in reversed(row.latencies or ())],
    )
