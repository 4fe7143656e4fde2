"""Where transforms and spools have their pages from: what their parents have given, not the upstream."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from app.engine.jobs import computations, scope
from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.json_types import JSON
from app.engine.record_errors import RecordError
from app.services.contexts.context import RunContext
from app.services.ports import FetchedPage


class SpoolReader(Protocol):
    """Reads what spools have gathered."""

    def read(self, closed_as: str, *, limit_bytes: int) -> Sequence[JSON]:
        """Read the records that are given on together; raise SpoolError when they are more than the limit."""


class BatchSource:
    """Answers like a source, and asks nobody."""

    def __init__(self, spools: SpoolReader, *, spool_bytes: int) -> None:
        self._spools = spools
        self._spool_bytes = spool_bytes

    def submit(self, context: RunContext, item: ResourceItem, element: scope.Element) -> "Future[FetchedPage]":
        """Make the one page of an element; the future raises what keeps the element from having one."""
        future: Future[FetchedPage] = Future()
        try:
            records = self._records(context, item, element)
        except RecordError as error:
            future.set_exception(error)
        else:
            page = FetchedPage(records=records, next_cursor=None, server_date=None, url=f"{item.kind}:", status=200)
            future.set_result(page)
        return future

    def _records(self, context: RunContext, item: ResourceItem, element: scope.Element) -> list[JSON]:
        match item.kind:
            case NodeKind.TRANSFORM:
                seen = scope.build_batch_scope(item, context.plan, element, context.scope_of(item))
                return computations.transform_records(item, seen, context.plain_paths)
            case NodeKind.SPOOL:
                return list(self._spools.read(element["spool"], limit_bytes=self._spool_bytes))
            case other:
                raise ValueError(f"a '{other}' item asks the upstream")
