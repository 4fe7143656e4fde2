"""What Schemathesis takes for a contradiction, and is none: what it says of a request is not what was sent."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator
from schemathesis.engine.recorder import CheckNode, Interaction
from schemathesis.generation.case import Case

_NAMED: Final = re.compile(r"parameters? (`.+`) in query")
_DATASTORE_TEST: Final = re.compile(r"/(datastore|notification-destination)/[^/]+/test(/|$)")
_OWNERS: Final = {
    "environment-integration": {"integration"},
    "environment-unified-model": {"unified-model"},
    "unified-model-resource-method": {"unified-model"},
    "environment-unified-model-resource-method": {"unified-model", "environment-unified-model"},
}
"""Whose removal takes along what belongs to them, by collection."""

_EMPTY_IS_ABSENT: Final = {"NewRun", "NewTrigger", "TriggerPatch"}
"""Bodies of typed SDKs, which send fields that they have no value for."""


def is_mistake(check: CheckNode, case: Case, interaction: Interaction, others: Iterable[Interaction]) -> bool:
    """Whether a check has found no fault, given what else happened in its scenario."""
    if check.failure_info is None:
        return False
    match check.name:
        case "negative_data_rejection":
            told = check.failure_info.failure.message
            return _is_valid_as_sent(told, case, interaction.request.uri) or _is_valid_without_empty_texts(case)
        case "not_a_server_error":
            # The datastores and receivers of such a world are nowhere: 502 says so.
            return (
                interaction.response.status_code == 502 and _DATASTORE_TEST.search(interaction.request.uri) is not None
            )
        case "use_after_free":
            # To delete a budget resets it: it is there, and knows nothing.
            return urlsplit(interaction.request.uri).path.endswith("/budget")
        case "ensure_resource_availability":
            owners = _OWNERS.get(_collection(interaction), set())
            return any(_removed(other) in owners for other in others)
        case _:
            return False


def _is_valid_as_sent(message: str, case: Case, uri: str) -> bool:
    """Whether an invalid value becomes a text when it is sent, where any text is valid."""
    named = _NAMED.search(message)
    if named is None:
        return False
    sent = parse_qs(urlsplit(uri).query)
    schemas = {one["name"]: one.get("schema", {}) for one in case.operation.definition.raw.get("parameters", [])}
    return all(name not in sent or _takes_any_text(schemas[name]) for name in re.findall(r"`([^`]+)`", named[1]))


def _takes_any_text(schema: Mapping[str, Any]) -> bool:
    told = schema.get("items", schema)
    return told.get("type") == "string" and not {"enum", "format", "pattern"} & told.keys()


def _is_valid_without_empty_texts(case: Case) -> bool:
    """Whether a body is valid but for empty texts, which stand for absent fields, as the overview says."""
    sent = case.operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = sent.get("schema", {}).get("$ref", "").rpartition("/")[2]
    if name not in _EMPTY_IS_ABSENT or not isinstance(case.body, dict):
        return False
    kept = {key: value for key, value in case.body.items() if value != ""}
    components = case.operation.schema.raw_schema["components"]
    judge = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components})
    return kept != case.body and bool(judge.is_valid(kept))


def _collection(interaction: Interaction) -> str:
    return urlsplit(interaction.request.uri).path.strip("/").partition("/")[0]


def _removed(interaction: Interaction) -> str | None:
    is_removal = interaction.request.method == "DELETE" and interaction.response is not None
    return _collection(interaction) if is_removal and interaction.response.status_code == 200 else None
