"""Resources as a recount finds them."""

from typing import Any

from app.engine.runs.audit import EventCount, Recount
from app.engine.runs.books import Counters


def recounted(name: str = "tickets", **facts: Any) -> Recount:
    """Make a resource of which nothing was fetched yet."""
    defaults: dict[str, Any] = {
        "name": name,
        "resource": name,
        "parent_name": None,
        "persist": True,
        "counters": Counters(),
        "unfinished_units": 0,
        "unit_pages": 0,
        "elements": 0,
        "failed_elements": 0,
        "errors": 0,
        "loop_errors": 0,
        "events": EventCount(),
    }
    return Recount(**{**defaults, **facts})
