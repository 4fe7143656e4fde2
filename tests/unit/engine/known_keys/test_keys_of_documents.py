"""Keys that are known are read, those that are read are known, and others are found."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from app.engine.integrations import config
from app.engine.jobs import definition
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys import shapes
from app.engine.known_keys.judging import judge
from app.engine.known_keys.of_integrations import INTEGRATION
from app.engine.known_keys.of_items import ITEMS
from app.engine.known_keys.of_unified import MAPPING, MODEL_RESOURCES
from app.engine.known_keys.shapes import PATH, ByFormat, Fields, Formatted, Key, ListOf, MapOf, Shape, Use
from app.engine.known_keys.suggestions import suggest
from app.engine.unified import mapping, model

Read = set[tuple[str, ...]]

VALUES: dict[str, JSON] = {
    "base_url": "https://api.example.com",
    "method": "get",
    "allowed_hosts": ["api.example.com"],
    "non_secret": [],
    "tokenHost": "https://login.example.com",
    "tokenPath": "/token",
    "refreshPath": "/token",
    "is_rate_limited": "$exists(headers)",
    "name": "a_name",
    "secret": False,
    "loop_on": "args.ids",
    "depends_on": "parent",
    "include_from_parent": ["id"],
    "if": "{{args.again:bool}}",
    "type": None,
    "no_auth": False,
}
"""Of keys whose readers are particular."""
NAMES = {"resources": "tickets", "methods": "list", "models": "crm"}
STRUCTURE = (shapes.FORMAT, shapes.CONFIG, "$schema", *NAMES.values())
"""What tables do not have: what tells formats, names of the writer's own, and what JSON Schema says of itself."""


class Watched(dict[str, Any]):
    """An object that notes which of its keys are asked for."""

    def __init__(self, value: JsonObject, path: tuple[str, ...], read: Read) -> None:
        super().__init__({name: watched(one, (*path, name), read) for name, one in value.items()})
        self._path, self._read = path, read

    def __getitem__(self, name: str) -> Any:
        self._read.add((*self._path, name))
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._read.add((*self._path, name))
        return super().get(name, default)


def watched(value: JSON, path: tuple[str, ...], read: Read) -> JSON:
    """Watch every object of a value."""
    match value:
        case dict():
            return Watched(value, path, read)
        case list():
            return [watched(one, path, read) for one in value]
        case _:
            return value


def samples(shape: Shape, path: tuple[str, ...] = ()) -> Iterator[tuple[JSON, Read]]:
    """Yield values that have every key between them, each with the paths of those that are to be read."""
    match shape:
        case Fields(keys=keys):
            yield from samples_of_fields(keys, path)
        case MapOf(inner=inner, name=name):
            yield from (({NAMES[name]: one}, read) for one, read in samples(inner, (*path, NAMES[name])))
        case ListOf(inner=inner):
            yield from (([one], read) for one, read in samples(inner, path))
        case Formatted() | ByFormat():
            yield from samples_of_formats(shape if isinstance(shape, Formatted) else shape.one, path)


def samples_of_formats(shape: Formatted, path: tuple[str, ...]) -> Iterator[tuple[JSON, Read]]:
    for name, fields in shape.formats.items():
        for value, read in samples(fields, (*path, "config")):
            yield {"format": name, "config": value}, read


def samples_of_fields(keys: Mapping[str, Key], path: tuple[str, ...]) -> Iterator[tuple[JSON, Read]]:
    plain = {name: sample_of(name, key) for name, key in keys.items() if key.inner is None}
    inner = {name: list(samples(key.inner, (*path, name))) for name, key in keys.items() if key.inner is not None}
    read = {(*path, name) for name, key in keys.items() if key.use is Use.READ}
    for turn in range(max((len(found) for found in inner.values()), default=1)):
        chosen = {name: found[turn % len(found)] for name, found in inner.items()}
        value = {**plain, **{name: one for name, (one, _) in chosen.items()}}
        yield value, read.union(*(paths for _, paths in chosen.values()))


def sample_of(name: str, key: Key) -> JSON:
    if name in VALUES:
        return VALUES[name]
    schema = key.value
    if schema is PATH:
        return "a.b"
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    return {"object": {}, "array": [], "boolean": True, "integer": 1, "number": 1}.get(kind, "x")


def read_by(parse: Any, value: JSON) -> Read:
    read: Read = set()
    parse(watched(value, (), read))
    return read


PARSERS: dict[str, tuple[Shape, Any]] = {
    "integration": (INTEGRATION, config.parse_config),
    "item": (ITEMS, definition.parse_resources),
    "mapping": (MAPPING, lambda raw: mapping.parse_mapping(raw, resource="r", method="list")),
    "model": (MODEL_RESOURCES, model.check_resources),
}
HEADER = {"format": "header", "config": {"name": "a", "value": "b"}}
OTHER_SAMPLES: dict[str, list[JSON]] = {
    "integration": [
        {"base_url": "https://x", "authorization": HEADER},
        {"base_url": "https://x", "resources": {"tickets": {"list": {"authorization": HEADER}}}},
        {"credentials": {"format": "api_key", "config": {"fields": [{"name": "a", "type": "text"}]}}},
    ],
    "item": [[{"type": "transform", "name": "t", "depends_on": "p", "config": {"expression": "records"}}]],
    "mapping": [],
    "model": [],
}
"""What excludes something that the samples have."""


@pytest.mark.parametrize("kind", PARSERS)
def test_every_key_that_is_known_to_be_read_is_read_and_no_other(kind: str) -> None:
    shape, parse = PARSERS[kind]
    made = list(samples(shape))

    values = [*(value for value, _ in made), *OTHER_SAMPLES[kind]]
    read = set[tuple[str, ...]]().union(*(read_by(parse, value) for value in values))
    expected = set[tuple[str, ...]]().union(*(paths for _, paths in made))
    assert expected - read == set()
    assert {path for path in read - expected if path[-1] not in STRUCTURE} == set()


def test_so_many_keys_are_known() -> None:
    counted = {name: len(list(shapes.walk(shape))) for name, (shape, _) in PARSERS.items()}

    assert counted["integration"] > 390
    assert sum(counted.values()) > 450


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("auth", ["authorization", "id_path"], "did you mean 'authorization'?"),
        ("respnse_path", ["response_path", "id_path"], "did you mean 'response_path'?"),
        ("basePath", ["base_path", "path"], "did you mean 'base_path'?"),
        ("limt", ["limit", "limit_param"], "did you mean 'limit'?"),
        ("xyz", ["b", "a"], "expected one of a, b"),
        ("x", [], "there are none"),
    ],
)
def test_what_was_meant_is_guessed(word: str, known: list[str], said: str) -> None:
    assert suggest(word, known) == said


UNKNOWN = "is no key that is known here: did you mean "


@pytest.mark.parametrize(
    ("shape", "value", "paths"),
    [
        (INTEGRATION, {"auth": {}}, ["c.auth"]),
        (INTEGRATION, {"resources": {"t": {"list": {"respnse_path": "x"}}}}, ["c.resources.t.list.respnse_path"]),
        (INTEGRATION, {"pagination": {"format": "page", "config": {"limt": 1}}}, ["c.pagination.config.limt"]),
        (INTEGRATION, {"pagination": {"format": "page", "limt": 1}}, ["c.pagination.limt"]),
        (INTEGRATION, {"pagination": {"format": "page", "cursor_path": "x"}}, ["c.pagination.cursor_path"]),
        (INTEGRATION, {"pagination": {"config": {"cursor_path": "x", "odd": 1}}}, ["c.pagination.config.odd"]),
        (INTEGRATION, {"pagination": {"format": "page", "config": {}, "page_param": "p"}}, ["c.pagination.page_param"]),
        (INTEGRATION, {"credentials": {"api_key": {"fields": [{"nmae": 1}]}}}, ["c.credentials.api_key.fields.0.nmae"]),
        (
            INTEGRATION,
            {"credentials": {"format": "oauth2", "config": {"client": {"ide": 1}}}},
            ["c.credentials.config.client.ide"],
        ),
        (INTEGRATION, {"credentials": {"api_key": {"client": {}}}}, ["c.credentials.api_key.client"]),
        (INTEGRATION, {"rate_limit": {"request": 1}}, ["c.rate_limit.request"]),
        (INTEGRATION, {"headers": {"any": 1}, "query": {"any": 1}, "tool_tags": {"any": []}}, []),
        (INTEGRATION, {"auth": None, "resources": {"t": None, "u": {"list": None}}, "pagination": None}, []),
        (INTEGRATION, {"resources": "odd", "credentials": [], "pagination": 5}, []),
        (ITEMS, [{"resource": "a", "persit": True}, {"query": {"any": 1}, "body": {"any": 1}}], ["c.0.persit"]),
        (ITEMS, [{"recurse": {"config": {"qery": {}}}}], ["c.0.recurse.config.qery"]),
        (ITEMS, [{"type": "transform", "config": {"expresion": "x"}}], ["c.0.config.expresion"]),
        (MAPPING, {"respons_mapping": "x", "before": [], "after": [1]}, ["c.after", "c.respons_mapping"]),
        (MODEL_RESOURCES, {"contacts": {"shema": {}}}, []),
    ],
)
def test_unknown_keys_are_found_with_their_paths(shape: Shape, value: JSON, paths: list[str]) -> None:
    assert sorted(failure.path for failure in judge(value, shape, "c").failures) == paths


def test_what_was_stored_before_and_what_is_not_served_is_only_noted() -> None:
    stored = {"auth": 1, "resources": {"t": {"list": {"odd": 1}}}, "pagination": {"format": "page", "config": {"x": 1}}}
    sent = {**stored, "webhook": {"any": 1}, "resources": {"t": {"list": {"odd": 2, "debug": 1}}}}

    judged = judge(sent, INTEGRATION, "config", stored=[stored])

    assert [failure.path for failure in judged.failures] == ["config.resources.t.list.debug"]
    assert sorted((note.code, note.path) for note in judged.notes) == [
        ("not_served", "config.webhook"),
        ("unknown_field", "config.auth"),
        ("unknown_field", "config.pagination.config.x"),
        ("unknown_field", "config.resources.t.list.odd"),
    ]


def test_what_is_merged_into_a_format_is_judged_by_it() -> None:
    judged = judge(
        {"pagination": {"config": {"cursor_path": "x"}}},
        INTEGRATION,
        "config",
        stored=[{"pagination": {"format": "page", "config": {}}}],
    )

    assert [failure.path for failure in judged.failures] == ["config.pagination.config.cursor_path"]


def test_items_that_were_stored_at_another_place_are_known() -> None:
    judged = judge([{"a": 1}, {"b": 1}], ITEMS, "resources", stored=[[{"b": 1}, {"a": 1}]])

    assert (judged.failures, [note.path for note in judged.notes]) == ([], ["resources.0.a", "resources.1.b"])
