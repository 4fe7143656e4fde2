"""Lists that are cut into parts: those that are known before the first request, and those that a page shows."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What a list has to be cut into, as a page of it shows."""

    parts: list[JsonObject]
    total: int | None
    """What the list declares."""
    most: int | None
    """How many records the API returns of it, if there are more."""


def choose_parts(
    call: PageCall, config: MethodConfig, drafted: RequestDraft, result: PageResult, document: JSON
) -> Cut | None:
    """Return how a list has to be cut, as a page of it shows, if at all; raise SourceError ``partition``.

    ``document`` is the answer that the page came with.
    """
    partition = _find_partition(call, config)
    if partition is None or result.fault is not None:
        return None
    before = ListState.from_json(call.cursor)
    facts = PartFacts(
        is_first=call.cursor is None,
        leads_on=result.cursor is not None,
        got=before.got + len(result.records),
        page_size=len(result.records),
        total=find_total(call, config, result, document),
    )
    # Not the present: a run that is replayed makes the same requests.
    now = bounds.count_units(call.run_started_at or datetime.now(UTC), partition.form)
    found = parts.choose_cut(partition, call.part, facts, own=drafted.own_bounds, now=now)
    if not found:
        return None
    is_capped = parts.is_capped(partition, facts)
    return Cut(parts=found, total=facts.total, most=partition.max_results if is_capped else None)


def find_total(call: PageCall, config: MethodConfig, result: PageResult, document: JSON) -> int | None:
    """Return the total that a list, or a part of it, declares with a page."""
    partition = _find_partition(call, config)
    if partition is not None and partition.total_path is not None and call.cursor is None:
        return page_facts.read_total(partition.total_path, document)
    return result.expected if result.cursor is None else ListState.from_json(result.cursor).total


def find_exact_total(config: MethodConfig, total: int | None) -> int | None:
    """Return a total unless it is an estimate, which nothing can be compared with."""
    is_own = config.partition is not None and config.partition.total_path is not None
    is_estimate = config.pagination is not None and config.pagination.end_rules.is_estimate
    return total if is_own or not is_estimate else None


def _find_partition(call: PageCall, config: MethodConfig) -> Partition | None:
    """Return the partition of a list; who gets the records of a direct call reads one page."""
    return None if call.is_handed_on else config.partition
