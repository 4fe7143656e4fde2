"""What the fuzz is told to be no contradiction is that, and nothing beside it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from schemathesis.engine.recorder import CheckNode, Interaction
from schemathesis.generation.case import Case

from tests.integration.api.documents.fuzz_mistakes import is_mistake

TEXTS = {"name": "name[in]", "schema": {"type": "array", "items": {"type": "string"}}}
IDS = {"name": "id[in]", "schema": {"type": "array", "items": {"type": "string", "format": "uuid"}}}
CASE = cast(
    "Case", SimpleNamespace(operation=SimpleNamespace(definition=SimpleNamespace(raw={"parameters": [TEXTS, IDS]})))
)


def interaction(uri: str, method: str = "GET", status: int = 200) -> Interaction:
    request, response = SimpleNamespace(uri=uri, method=method), SimpleNamespace(status_code=status)
    return cast("Interaction", SimpleNamespace(request=request, response=response))


def check(name: str, message: str = "") -> CheckNode:
    info: Any = SimpleNamespace(failure=SimpleNamespace(message=message))
    return cast("CheckNode", SimpleNamespace(name=name, failure_info=info))


@pytest.mark.parametrize(
    ("named", "query", "is_one"),
    [
        ("parameter `name[in]` in query", "name[in]=7,null", True),
        ("parameters `name[in]`, `id[in]` in query", "name[in]=7&id[in]=", True),
        ("parameters `name[in]`, `id[in]` in query", "name[in]=7&id[in]=7", False),
        ("parameter `id[in]` in query", "id[in]=7", False),
        ("body", "name[in]=7", False),
    ],
    ids=["any-text", "nothing-sent", "one-of-two", "no-uuid", "no-query"],
)
def test_text_that_any_text_may_be_is_valid_as_sent(named: str, query: str, is_one: bool) -> None:
    found = check("negative_data_rejection", f"Invalid component: {named}\n  - violates `type`")

    assert is_mistake(found, CASE, interaction(f"http://localhost/thing?{query}"), []) is is_one


@pytest.mark.parametrize(
    ("other", "is_one"),
    [
        (interaction("http://localhost/integration/1", "DELETE"), True),
        (interaction("http://localhost/integration/1", "DELETE", 404), False),
        (interaction("http://localhost/integration/1", "PATCH"), False),
        (interaction("http://localhost/webhook/1", "DELETE"), False),
    ],
    ids=["removed", "not-removed", "changed", "another-thing"],
)
def test_what_went_with_its_owner_is_not_missed(other: Interaction, is_one: bool) -> None:
    found = check("ensure_resource_availability")
    asked = interaction("http://localhost/environment-integration/2", status=404)

    assert is_mistake(found, CASE, asked, [other, asked]) is is_one


def test_any_other_finding_is_one() -> None:
    found = check("not_a_server_error")

    assert not is_mistake(found, CASE, interaction("http://localhost/thing", status=500), [])
