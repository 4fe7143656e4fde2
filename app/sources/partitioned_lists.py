"""Lists that are cut into parts: those that are known before the first request, and those that a page shows."""

from datetime import UTC, datetime

from app.engine.integrations.config import MethodConfig
from app.engine.json_types import JSON, JsonObject
from app.engine.partitions import bounds, parts
from app.engine.partitions.partition import Partition
from app.engine.partitions.parts import PartFacts
from app.services.ports import PageCall
from app.sources.pagination import page_facts
from app.sources.pagination.state import ListState
from app.sources.pagination.values import PageResult
from app.sources.request_parts.drafts import RequestDraft


def list_known_parts(call: PageCall, config: MethodConfig, drafted: RequestDraft) -> list[JsonObject]:
    """Return the parts of a list that are known before any request."""
    partition = _find_partition(call, config)
    if partition is None or call.part is not None or call.cursor is not None:
        return []
    return parts.list_known(partition, drafted.own_bounds) or []


def choose_parts(
    call: PageCall, config: MethodConfig, drafted: RequestDraft, result: PageResult, document: JSON
) -> list[JsonObject]:
    """Return the parts that a list has to be cut into, as a page of it shows; raise SourceError ``partition``.

    ``document`` is the answer that the page came with.
    """
    partition = _find_partition(call, config)
    if partition is None or result.fault is not None:
        return []
    before = ListState.from_json(call.cursor)
    after = None if result.cursor is None else ListState.from_json(result.cursor)
    total = result.expected if after is None else after.total
    if partition.total_path is not None and call.cursor is None:
        total = page_facts.read_total(partition.total_path, document)
    facts = PartFacts(
        is_first=call.cursor is None,
        leads_on=after is not None,
        got=before.got + len(result.records),
        page_size=len(result.records),
        total=total,
    )
    # Not the present: a run that is replayed makes the same requests.
    now = bounds.count_units(call.run_started_at or datetime.now(UTC), partition.form)
    return parts.choose_cut(partition, call.part, facts, own=drafted.own_bounds, now=now)


def _find_partition(call: PageCall, config: MethodConfig) -> Partition | None:
    """Return the partition of a list; who gets the records of a direct call reads one page."""
    return None if call.is_handed_on else config.partition
