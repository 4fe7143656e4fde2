"""A unified model's resources: names, schemas, methods."""

import pytest

from app.engine.json_types import JSON
from app.engine.unified.model import UnifiedName, check_resources, list_methods, parse_unified_name


@pytest.mark.parametrize(
    ("resources", "paths"),
    [
        ([], ["resources"]),
        ({}, []),
        ({"a": {"schema": {"type": "object"}, "methods": ["list", {"name": "merge"}]}}, []),
        ({"a/b": {}, "c": 5}, ["resources.a/b", "resources.c"]),
        ({"a": {"schema": 5, "methods": "list"}}, ["resources.a.schema", "resources.a.methods"]),
        ({"a": {"schema": {"type": "nonsense"}}}, ["resources.a.schema.type"]),
        ({"a": {"methods": ["list", 5, "a b"]}}, ["resources.a.methods.1", "resources.a.methods.2"]),
    ],
)
def test_every_fault_of_resources_is_told(resources: JSON, paths: list[str]) -> None:
    assert [failure.path for failure in check_resources(resources)] == paths


def test_methods_are_the_usual_ones_unless_they_are_named() -> None:
    resources = {"contacts": {}, "notes": {"methods": ["list", {"name": "merge"}]}}

    assert list_methods(resources, "contacts") == ["list", "get", "create", "update", "delete"]
    assert list_methods(resources, "notes") == ["list", "merge"]
    assert list_methods(resources, "deals") is None


def test_a_resource_with_a_slash_is_a_unified_apis() -> None:
    assert parse_unified_name("crm/contacts") == UnifiedName("crm", "contacts")
    assert parse_unified_name("contacts") is None
