"""dlt's REST API source into Postgres, by its defaults; prints what it did as JSON.

Runs in the peers' environment: ``python dlt_peer.py <upstream world's URL> <database URL> <mode>``; the modes are
``bulk``, ``nested``, ``by_page``, ``by_offset`` and ``by_cursor``.
"""

import json
import os
import sys
import tempfile
import time
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
from dlt.sources.rest_api import rest_api_source

_CURSOR = {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "cursor"}
_PAGES: dict[str, dict[str, Any]] = {
    "by_page": {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None},
    "by_offset": {"type": "offset", "limit": 100, "total_path": None},
}
"""How the peer reads a list that it does not read by cursor."""


def main() -> None:
    """Measure, and print what it came to."""
    world_url, database_url, mode = sys.argv[1:]
    with tempfile.TemporaryDirectory() as place:
        pipeline = dlt.pipeline(
            f"peer_{mode}",
            destination=dlt.destinations.postgres(database_url),
            dataset_name=f"dlt_{mode}",
            pipelines_dir=place,
            dev_mode=True,
        )
        began = time.perf_counter()
        pipeline.run(_source(world_url, mode))
        seconds = time.perf_counter() - began
    counts = pipeline.last_trace.last_normalize_info.row_counts
    print(json.dumps({"records": counts.get("tickets", 0) + counts.get("comments", 0), "seconds": seconds}))


def _source(world_url: str, mode: str) -> object:
    endpoint: dict[str, Any] = {"data_selector": "data", "paginator": _PAGES.get(mode, _CURSOR)}
    resources: list[dict[str, Any]] = [{"name": "tickets", "endpoint": {**endpoint, "path": "tickets"}}]
    if mode == "nested":
        bound = {"id": {"type": "resolve", "resource": "tickets", "field": "id"}}
        child = {**endpoint, "path": "tickets/{id}/comments", "params": bound}
        resources.append({"name": "comments", "endpoint": child, "parallelized": True})
    return rest_api_source(
        {
            "client": {"base_url": f"{world_url}/"},
            "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
            "resources": resources,
        }
    )


if __name__ == "__main__":
    main()
