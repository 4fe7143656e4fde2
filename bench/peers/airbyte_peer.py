"""Airbyte's declarative CDK with 20 threads: a source alone, whose records go nowhere; prints what it did as JSON.

Runs in the peers' environment: ``python airbyte_peer.py <upstream world's URL> <mode>``; the modes are ``bulk``,
``nested``, ``by_page``, ``by_offset`` and ``by_cursor``.
"""

import json
import logging
import os
import sys
import time
from typing import Any

import orjson
from airbyte_cdk.models import AirbyteMessageSerializer, ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

_THREADS = 20
_CURSOR = {
    "type": "CursorPagination",
    "cursor_value": "{{ response.get('next_cursor') or '' }}",
    "stop_condition": "{{ not response.get('next_cursor') }}",
}
_PAGES: dict[str, tuple[dict[str, Any], str]] = {
    "by_page": (
        {"type": "PageIncrement", "page_size": 100, "start_from_page": 1, "inject_on_first_request": True},
        "page",
    ),
    "by_offset": ({"type": "OffsetIncrement", "page_size": 100, "inject_on_first_request": True}, "offset"),
}
"""How it reads a list that it does not read by cursor, and the parameter for that."""


def main() -> None:
    """Measure, and print what it came to."""
    world_url, mode = sys.argv[1:]
    streams = _streams(world_url, mode)
    catalog = ConfiguredAirbyteCatalogSerializer.load({"streams": [_configured(stream) for stream in streams]})
    source = ConcurrentDeclarativeSource(catalog=catalog, config={}, state=[], source_config=_manifest(streams))
    records, began = 0, time.perf_counter()
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # not a place in the file system
        for message in source.read(logging.getLogger("peer"), {}, catalog, []):
            records += message.record is not None
            # What a destination would be sent: each message as a line of JSON.
            nowhere.write(orjson.dumps(AirbyteMessageSerializer.dump(message)) + b"\n")
    print(json.dumps({"records": records, "seconds": time.perf_counter() - began}))


def _streams(world_url: str, mode: str) -> list[dict[str, Any]]:
    tickets = _stream(world_url, "tickets", "/tickets", mode)
    if mode != "nested":
        return [tickets]
    parent = {"type": "ParentStreamConfig", "stream": tickets, "parent_key": "id", "partition_field": "id"}
    router = {"type": "SubstreamPartitionRouter", "parent_stream_configs": [parent]}
    comments = _stream(world_url, "comments", "/tickets/{{ stream_partition.id }}/comments", mode)
    comments["retriever"]["partition_router"] = router
    return [tickets, comments]


def _stream(world_url: str, name: str, path: str, mode: str) -> dict[str, Any]:
    strategy, parameter = _PAGES.get(mode, (_CURSOR, "cursor"))
    option = {"type": "RequestOption", "inject_into": "request_parameter", "field_name": parameter}
    retriever = {
        "type": "SimpleRetriever",
        "requester": {"type": "HttpRequester", "url_base": world_url, "path": path, "http_method": "GET"},
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
        },
        "paginator": {"type": "DefaultPaginator", "page_token_option": option, "pagination_strategy": strategy},
    }
    schema = {"type": "object", "additionalProperties": True, "properties": {}}
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": "id",
        "retriever": retriever,
        "schema_loader": {"type": "InlineSchemaLoader", "schema": schema},
    }


def _manifest(streams: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["tickets"]},
        "streams": streams,
        "concurrency_level": {
            "type": "ConcurrencyLevel",
            "default_concurrency": _THREADS,
            "max_concurrency": _THREADS,
        },
    }


def _configured(stream: dict[str, Any]) -> dict[str, Any]:
    return {
        "stream": {"name": stream["name"], "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
        "sync_mode": "full_refresh",
        "destination_sync_mode": "append",
    }


if __name__ == "__main__":
    main()
