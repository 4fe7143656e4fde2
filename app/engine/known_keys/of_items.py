"""The keys of the items of a sync job."""

from typing import Final

from app.engine.known_keys.shapes import (
    ANYTHING,
    EXPRESSION,
    FLAG,
    OBJECT,
    TEXT,
    Fields,
    ListOf,
    choice,
    reading,
    unserved,
    within,
)

LONGEST_NAME: Final = 200
_NAME: Final = {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_NAME, "pattern": "^[^{}]+$"}
_ID: Final = {"type": ["string", "integer", "null"], "minLength": 1}
_GRAPH: Final = "Of graphs of nodes (version 4), which do not run here: "

_REPEATED: Final = Fields(
    keys={
        "id": reading("Replaces the request's id.", _ID),
        "query": reading("Laid over the request's query.", OBJECT),
    }
)
_RECURSE: Final = Fields(
    keys={
        "if": reading("True for the records that the request is repeated for.", TEXT, is_required=True),
        "config": within("What the repeated request has.", _REPEATED, is_required=True),
    }
)
_CONFIG: Final = Fields(
    keys={
        "expression": reading("JSONata over `records`: makes a transform's records.", EXPRESSION),
        "id": unserved(f"{_GRAPH}the destination."),
        "config": unserved(f"{_GRAPH}what the destination does."),
        "name": unserved(f"{_GRAPH}the moment of an event."),
        "key": unserved(f"{_GRAPH}the state's key."),
        "default": unserved(f"{_GRAPH}the default state."),
        "value": unserved(f"{_GRAPH}the state to write."),
        "value_expression": unserved(f"{_GRAPH}what makes the state."),
    }
)
ITEM: Final = Fields(
    keys={
        "resource": reading("What is asked: the integration's name for it, or `model/resource`.", _NAME),
        "method": reading(
            "`list`, `get`, `create`, `update`, `delete` or a custom method.",
            {"type": ["string", "null"], "minLength": 1},
        ),
        "name": reading("What others depend on; the resource by default.", _NAME),
        "type": reading(
            "`transform` and `spool` work on the records of `depends_on`, and request nothing.",
            choice("request", "transform", "spool"),
        ),
        "depends_on": reading(
            "The parent: the request is made once for each of its records.",
            {"type": ["string", "array", "null"], "items": {"type": ["string", "null"]}, "maxItems": 1},
        ),
        "loop_on": reading(
            "The path of an array: the request is made once for each value.", {"type": ["string", "object", "null"]}
        ),
        "id": reading("The one record that is meant; may hold placeholders.", _ID),
        "query": reading(
            "Parameters whose values may hold placeholders, or JSONata that makes them.",
            {"type": ["object", "string", "null"]},
        ),
        "body": reading(
            "What is sent, with placeholders; a text without any is JSONata that makes it.",
            {"type": ["object", "array", "string", "null"], "items": ANYTHING},
        ),
        "persist": reading("Whether the records are kept, or sent to the webhook.", FLAG),
        "delete_tracking": reading("What becomes of records that have vanished.", {"enum": ["soft", "hard", "", None]}),
        "deleted_when": reading("JSONata over a record: true of one that is deleted upstream.", EXPRESSION),
        "include_from_parent": reading(
            "Fields of the parent that the records get, and that are a part of their ids.",
            {"type": ["array", "object", "null"], "items": TEXT},
        ),
        "recurse": within("For which records the request is repeated.", _RECURSE),
        "config": within("Of a transform: its expression.", _CONFIG),
        "delete_tracking_query": unserved("Every record of the item takes part in `delete_tracking`."),
        "response_format": unserved("Records of a unified API are sent as its mapping makes them."),
        "run_if": unserved(f"{_GRAPH}the condition of a node."),
        "debug": unserved(f"{_GRAPH}whether a node's input is logged."),
        "integrated_account_id": unserved("Every item is of the run's own account."),
        "destination_type": unserved(f"{_GRAPH}where records go; the run's `webhook_id` says it."),
        "resources_to_persist": unserved(f"{_GRAPH}whose records go there; `persist` says it."),
        "environment_id": unserved("Every item is of the run's own environment."),
    }
)
ITEMS: Final = ListOf(inner=ITEM)
