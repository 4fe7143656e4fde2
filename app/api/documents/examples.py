"""Real requests and answers for the document: the tests send each request and compare its answer."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from app.engine.json_types import JSON, JsonObject

_FILE: Final = Path(__file__).with_name("examples.json")


@cache
def examples() -> Mapping[str, JsonObject]:
    """Return ``{request, answer}`` by the id of the operation, in the order in which they can be sent."""
    found: Mapping[str, JsonObject] = json.loads(_FILE.read_text())
    return found


def request_of(operation_id: str) -> JSON:
    """Return the example of an operation's body; None where there is none."""
    return examples().get(operation_id, {}).get("request")


def answer_of(operation_id: str) -> JSON:
    """Return the example of an operation's answer; None where there is none."""
    return examples().get(operation_id, {}).get("answer")
