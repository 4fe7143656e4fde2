"""Write pages, and measure it."""

from app import meters, tracing
from app.engine.runs.work import PageWrite
from app.services.contexts.context import RunContext
from app.services.units.ports import Pages


def write_pages(pages: Pages, write: PageWrite, context: RunContext) -> str | None:
    """Write pages as ``Pages.write`` does, and count what was written."""
    counters, integration = write.counters, context.account.integration_name
    facts = {
        "ferryman.pages": counters.pages,
        "ferryman.records.fetched": counters.fetched,
        "ferryman.records.quarantined": counters.quarantined,
        "ferryman.units.created": len(write.children),
    }
    with tracing.span("write pages", facts):
        delivery_unit_id = pages.write(write)
    meters.PAGES.labels(integration).inc(counters.pages)
    meters.RECORDS.labels(integration).inc(counters.fetched)
    if counters.quarantined:
        meters.QUARANTINED.labels(integration).inc(counters.quarantined)
    return delivery_unit_id
