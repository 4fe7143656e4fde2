from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.accounts import oauth
from app.engine.integrations.config import parse_config
from app.engine.integrations.credentials import OAuthGrant
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import PlaceholderError, SourceError

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
AUTH = {"auth": {"tokenHost": "https://id.test/", "tokenPath": "token"}}


def grants(credentials: JSON) -> tuple[OAuthGrant, ...]:
    config, faults = parse_config({"base_url": "https://up.test", "credentials": credentials})
    assert faults == []
    assert config is not None
    return config.grants


def grant(**more: Any) -> OAuthGrant:
    (found,) = grants({"oauth2": {"client": {"id": "c", "secret": "s"}, **AUTH, **more}})
    return found


def nested(**token: JSON) -> JsonObject:
    return {"oauth": {"token": token}}


@pytest.mark.parametrize(
    ("credentials", "kinds"),
    [
        (None, []),
        ({"format": "api_key", "config": {"fields": []}}, []),
        ({"format": "oauth2"}, []),
        ({"format": "oauth2", **AUTH}, ["refresh_token"]),
        ({"oauth2": {"config": AUTH}, "api_key": {}}, ["refresh_token"]),
        ({"oauth2_client_credentials": AUTH, "oauth2": AUTH}, ["client_credentials", "refresh_token"]),
    ],
)
def test_the_ways_to_renew_are_read(credentials: JSON, kinds: list[str]) -> None:
    assert [one.kind for one in grants(credentials)] == kinds


def test_an_account_is_renewed_by_its_refresh_token_if_it_has_one() -> None:
    both = grants({"oauth2_client_credentials": AUTH, "oauth2": AUTH})

    chosen = [oauth.choose_grant(both, context) for context in ({}, nested(refresh_token="r"), {"refresh_token": "r"})]

    assert [one and one.kind for one in chosen] == ["client_credentials", "refresh_token", "refresh_token"]
    assert oauth.choose_grant(both[1:], {}) is None


@pytest.mark.parametrize(
    ("expires_at", "is_due"),
    [
        (None, False),
        ("2026-01-05T12:00:59Z", True),
        ("2026-01-05T12:01:01+00:00", False),
        ("2026-01-05T11:00:00", True),
        (NOON.timestamp() + 30, True),
        ((NOON.timestamp() + 90) * 1000, False),
        (str(int(NOON.timestamp())), True),
        ("Mon, 05 Jan 2026 12:00:30 GMT", True),
        ("Mon, 05 Jan 2026 12:01:30 GMT", False),
        ("soon", False),
        (True, False),
        (1e300, False),
    ],
)
def test_a_token_is_due_a_minute_before_it_expires(expires_at: JSON, is_due: bool) -> None:
    assert oauth.is_due(grant(), nested(access_token="a", expires_at=expires_at), NOON) is is_due
    assert oauth.is_due(grant(), {"access_token": "a", "expires_at": expires_at}, NOON) is is_due


def test_a_token_that_is_not_there_is_due() -> None:
    assert oauth.is_due(grant(), {}, NOON)


def test_a_request_for_a_token_is_made_of_the_context() -> None:
    templated = grant(client={"id": "{{context.app.id}}"}, options={"authorizationMethod": "header"})

    request = oauth.build_token_request(
        templated, {**nested(refresh_token="r"), "app": {"id": "i"}, "client_secret": "s"}
    )

    assert request.url == "https://id.test/token"
    assert request.fields == {"grant_type": "refresh_token", "refresh_token": "r"}
    assert request.basic == ("i", "s")


@pytest.mark.parametrize(
    ("more", "context", "fields"),
    [
        ({"tokenParams": {"audience": "{{context.site}}"}}, {}, {"audience": "acme", "client_id": "c"}),
        ({"tokenParams": {"resource": ["a", "{{site}}"]}}, {}, {"resource": ["a", "acme"], "client_id": "c"}),
        (
            {"tokenParams": {"grant_type": "account_credentials", "client_id": None}},
            {},
            {"grant_type": "account_credentials", "client_id": None},
        ),
        ({"tokenParams": {"x": "{{context.absent:undefined}}"}}, {}, {"x": None, "client_id": "c"}),
        (
            {"client": {"id": "c", "secret": "s", "idParamName": "key", "secretParamName": "hidden"}},
            {},
            {"key": "c", "hidden": "s", "client_id": None, "client_secret": None},
        ),
        ({"client": {}, "tokenParams": {"client_id": None, "client_secret": None, "user": "u"}}, {}, {"user": "u"}),
        ({"scope": ["a", "b"], "options": {"scopeSeparator": ","}}, {}, {"scope": "a,b"}),
        ({"scope": "a b, c", "options": {"scopeSeparator": "+"}}, {}, {"scope": "a+b+c"}),
        ({"scope": "a, b"}, {}, {"scope": "a, b"}),
    ],
)
def test_a_request_has_what_its_endpoint_needs(more: JsonObject, context: JsonObject, fields: JsonObject) -> None:
    (one,) = grants({"oauth2_client_credentials": {"client": {"id": "c", "secret": "s"}, **AUTH, **more}})

    request = oauth.build_token_request(one, {"site": "acme", **context})

    assert {name: request.fields.get(name) for name in fields} == fields


def test_a_token_path_may_be_an_address() -> None:
    auth = {"tokenHost": "https://id.test", "tokenPath": "https://login.test/token?v=2"}

    assert oauth.build_token_request(grant(auth=auth), nested(refresh_token="r")).url == "https://login.test/token?v=2"


def test_a_client_without_an_id_is_told() -> None:
    with pytest.raises(SourceError, match="the client's id is empty"):
        oauth.build_token_request(grant(client={"id": "{{context.client_id}}", "secret": "s"}), {"client_id": None})


def test_what_is_missing_of_a_request_is_named() -> None:
    with pytest.raises(PlaceholderError, match=r"context\.site"):
        oauth.build_token_request(grant(tokenParams={"audience": "{{context.site}}"}), nested(refresh_token="r"))


def test_a_client_without_a_secret_sends_none() -> None:
    (public,) = grants({"oauth2_client_credentials": {**AUTH, "client": {"id": "c"}, "scope": ["a", "b"]}})

    assert oauth.build_token_request(public, {}).fields == {
        "grant_type": "client_credentials",
        "scope": "a b",
        "client_id": "c",
    }


def test_a_renewed_token_replaces_the_old_one_and_keeps_what_the_answer_leaves_out() -> None:
    context = {**nested(access_token="a", refresh_token="r", expires_at="2026-01-05T12:00:00Z"), "region": "eu"}

    fresh = oauth.merge_token(context, {"access_token": "b", "expires_in": 60, "refresh_token": None}, NOON)

    assert fresh == {
        "region": "eu",
        "oauth": {
            "token": {
                "access_token": "b",
                "refresh_token": "r",
                "expires_in": 60,
                "expires_at": "2026-01-05T12:01:00.000Z",
                "renewed_at": "2026-01-05T12:00:00.000Z",
            }
        },
    }
    assert oauth.was_just_renewed(fresh, NOON)
    assert not oauth.was_just_renewed(context, NOON)


@pytest.mark.parametrize("seconds", [1_795_000_000_000, "99999999999999"])
def test_an_expiry_beyond_all_calendars_is_unknown_and_the_token_is_kept(seconds: JSON) -> None:
    fresh = oauth.merge_token({}, {"access_token": "b", "expires_in": seconds}, NOON)

    assert fresh["oauth"]["token"]["access_token"] == "b"
    assert fresh["oauth"]["token"]["expires_at"] is None


def test_an_expiry_that_is_not_told_is_unknown() -> None:
    fresh = oauth.merge_token(nested(access_token="a", expires_at="2020-01-01T00:00:00Z"), {"access_token": "b"}, NOON)

    assert not oauth.is_due(grant(), fresh, NOON)


@pytest.mark.parametrize("context", [{"access_token": "a"}, {"access_token": "a", "oauth": {"token": {}}}])
def test_a_token_at_the_top_stays_where_requests_read_it(context: JsonObject) -> None:
    fresh = oauth.merge_token(context, {"access_token": "b"}, NOON)

    assert fresh["access_token"] == oauth.find_access_token(fresh) == "b"


@pytest.mark.parametrize("answer", [{}, {"access_token": ""}, {"access_token": 5}])
def test_an_answer_without_a_token_is_an_error(answer: JsonObject) -> None:
    with pytest.raises(SourceError) as caught:
        oauth.merge_token({}, answer, NOON)

    assert caught.value.code == "token_endpoint"


def test_client_credentials_without_scopes_ask_for_none() -> None:
    (plain,) = grants({"oauth2_client_credentials": {**AUTH, "client": {"id": "c", "secret": "s"}}})

    assert oauth.build_token_request(plain, {}).fields == {
        "grant_type": "client_credentials",
        "client_id": "c",
        "client_secret": "s",
    }


@pytest.mark.parametrize(
    ("context", "missing"),
    [
        (nested(access_token="t", scope="read write"), ["admin"]),
        (nested(access_token="t", scope="read,admin,write"), []),
        (nested(access_token="t", scope=["admin", 7]), ["read", "write"]),
        ({"oauth": {"token": {"access_token": "t"}, "scope": "write"}}, ["admin", "read"]),
        (nested(access_token="t", scope="read write admin"), []),
        (nested(access_token="t"), []),
        ({"oauth": "none", "api_key": "k"}, []),
    ],
)
def test_scopes_are_missing_that_are_asked_for_and_were_not_given(context: JsonObject, missing: list[str]) -> None:
    assert oauth.list_missing_scopes([grant(scope=["read", "write"]), grant(scope="admin")], context) == missing
