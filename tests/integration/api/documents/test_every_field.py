"""Every field of every body is looked at, and every filter of every list narrows it, but for what is listed here."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import pytest
from sqlalchemy import Engine

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.settings import Settings
from tests.integration.api.calling import Caller
from tests.integration.api.walled_worlds import Operation, World, furnished, operations_of

WRONG: Final[tuple[JSON, ...]] = ({"not": "this"}, 5, "\x00", ["\x00"], -1.5)
"""Some of these is wrong for every field that is looked at."""
DIRECT: Final = ("/unified/", "/proxy/", "/custom/")
NOT_LOOKED_AT: Final[dict[str, str]] = {
    "PATCH /integrated-account/me context": "only the token of an account reaches it: test_tokens_of_accounts",
}
"""Fields that take everything, each with the reason."""
NO_FILTERS: Final = {"limit", "next_cursor", "sort", "wait", "state_key"}
"""What a list is asked for, not narrowed by; each has tests of its own."""
EMPTY: Final[dict[str, str]] = {
    "GET /destination/{id}/quarantined": "nothing is written anywhere: tests/integration/destinations",
    "GET /destination/{id}/cursors": "nothing is written anywhere: tests/integration/destinations",
    "GET /erasure": "nothing was deleted: test_erased_accounts",
    "GET /daemon": "no daemon runs: tests/integration/stack and test_manners",
}
"""Lists that hold nothing in such a world, each with who narrows them."""
NOT_NARROWING: Final[dict[str, str]] = {}
"""Filters that leave a list as it is, each with the reason."""


OF_OTHER_LOGS: Final = "is not narrowed by it: "
"""How the log refuses the filters of its other kinds, which test_log walks."""


@pytest.fixture(scope="module")
def unhurried(settings: Settings) -> Iterator[ApiServices]:
    """Services that count nobody's requests: there are thousands."""
    services = build_api_services(replace(settings, token_requests=0, environment_requests=0))
    yield services
    services.close()


@pytest.fixture
def api(unhurried: ApiServices, settings: Settings, environment_id: EnvironmentId) -> Caller:
    _, secret = unhurried.tokens.create(environment_id, "walker")
    return Caller(create_app(unhurried, settings).test_client(), secret)


@pytest.fixture
def world(api: Caller, environment_id: EnvironmentId, engine: Engine) -> World:
    return furnished(api, "mine", environment_id, engine)


def operations(api: Caller) -> list[Operation]:
    found = operations_of(api.get("/openapi.json").body)
    return [one for one in found if not one.path.startswith(DIRECT)]


def address(world: World, operation: Operation) -> str:
    return operation.path.replace("{id}", world.ids.get(operation.collection, new_id()))


def test_every_field_of_every_body_is_looked_at(api: Caller, world: World) -> None:
    walked, passed = 0, []
    for operation in operations(api):
        for name in operation.body or ():
            walked += 1
            if not is_looked_at(api, world, operation, name):
                passed.append(f"{operation} {name}")

    assert passed == list(NOT_LOOKED_AT)
    assert walked > 150, walked


def is_looked_at(api: Caller, world: World, operation: Operation, name: str) -> bool:
    """Whether some value of a field is refused, and the refusal names it."""
    path = f"{address(world, operation)}?state_key=s"
    for value in WRONG:
        answer = api.call(operation.method, path, {name: value})
        if answer.status == 400 and any(one == name or one.startswith(f"{name}.") for one in answer.paths):
            return True
    return False


def test_every_filter_of_every_list_narrows_it(api: Caller, world: World) -> None:
    walked, without_effect, empty = 0, list[str](), list[str]()
    for operation in operations(api):
        if operation.method == "GET" and "limit" in operation.query:
            asked = {name: value for name, value in needed(world, operation).items() if value is not None}
            whole = api.get(address(world, operation), **asked)
            if not whole.body.get("result"):
                empty.append(f"{operation}{'' if whole.status == 200 else whole.body}")
                continue
            for name in operation.query.keys() - NO_FILTERS - asked.keys():
                walked += 1
                if not narrows(api, address(world, operation), asked, name, operation.query[name], whole.body):
                    without_effect.append(f"{operation} {name}")

    assert empty == list(EMPTY)
    assert sorted(without_effect) == sorted(NOT_NARROWING)
    assert walked > 150, walked


def test_every_number_of_every_query_is_in_plain_digits(api: Caller, world: World) -> None:
    walked, taken = 0, list[str]()
    for operation in operations(api):
        for name, schema in operation.query.items():
            if schema.get("type") != "integer":
                continue
            walked += 1
            for number in ("٣", "1_0", "0x1", "1.0"):
                answer = api.call(operation.method, f"{address(world, operation)}?{name}={quote(number)}", None)
                if answer.status != 400 or name not in answer.paths:
                    taken.append(f"{operation} {name}={number}: {answer.status}")

    assert taken == []
    assert walked > 30, walked


def needed(world: World, operation: Operation) -> JsonObject:
    """Return the required parameters of a list."""
    account = world.ids["integrated-account"]
    known = {"integrated_account_id": account, "state_key": world.text("states"), "log_type": "sync_job_cron_trigger"}
    return {name: known.get(name) for name in operation.required}


def narrows(api: Caller, path: str, asked: JsonObject, name: str, schema: JsonObject, whole: JsonObject) -> bool:
    """Whether some value that is taken gives another list, or the filter is refused for this kind of list."""
    for value in values_of(name, schema):
        answer = api.get(path, **asked, **{name: value})
        is_other = answer.status == 200 and answer.body["result"] != whole["result"]
        if is_other or (answer.status == 400 and OF_OTHER_LOGS in answer.body["message"]):
            return True
    return False


def values_of(name: str, schema: JsonObject) -> Iterator[str]:
    """Return values that fit a filter, and that hardly any object has."""
    inner = schema.get("items", schema)
    if "enum" in inner:
        yield from (str(value) for value in inner["enum"] if value is not None)
    elif inner.get("format") == "uuid":
        yield new_id()
    elif inner.get("format") == "date-time":
        yield "1999-01-01T00:00:00Z" if "[lt" in name else "2999-01-01T00:00:00Z"
    elif "boolean" in inner.get("type", ""):
        yield from ("true", "false")
    else:
        yield from ("nobody", "999999999")
