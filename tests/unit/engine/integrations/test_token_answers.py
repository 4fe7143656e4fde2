"""A token is found wherever an endpoint puts it, and what is not there is told without a secret."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.accounts import oauth
from app.engine.integrations import token_answers
from app.engine.integrations.config import parse_config
from app.engine.integrations.token_answers import TokenPlaces
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.engine.redaction import redact

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ONE = "2026-01-05T13:00:00.000Z"
T, R = "s3cret-access", "s3cret-refresh"


def places(**response: Any) -> TokenPlaces:
    auth = {"tokenHost": "https://id.test"}
    raw = {"base_url": "https://up.test", "credentials": {"oauth2": {"auth": auth, "tokenResponse": response}}}
    config, faults = parse_config(raw)
    assert faults == []
    assert config is not None
    return config.grants[0].answer


def kept(answer: JsonObject, **response: Any) -> JsonObject:
    fresh = oauth.merge_token({}, token_answers.read(answer, places(**response)), NOON)
    token: JsonObject = fresh["oauth"]["token"]
    return token


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ({"access_token": T, "refresh_token": R, "expires_in": 3600}, {}),
        ({"access_token": T, "refresh_token": R, "expires_in": "3600"}, {}),
        ({"access_token": T, "refresh_token": R, "expires_at": ONE}, {}),
        ({"access_token": T, "refresh_token": R, "expires_at": "Mon, 05 Jan 2026 13:00:00 GMT"}, {}),
        ({"access_token": T, "refresh_token": R, "expires_on": "1767618000"}, {}),
        ({"access_token": T, "refresh_token": R, "expiresAt": 1767618000000}, {}),
        ({"accessToken": T, "refreshToken": R, "expiresIn": 3600}, {}),
        ({"token": T, "refresh_token": R, "expires": 3600}, {}),
        ({"token": T, "refresh_token": R, "expires": 1767618000}, {}),
        ({"token": T, "refresh_token": R, "expires": "2026-01-05T13:00:00"}, {}),
        ({"data": {"access_token": T, "refresh_token": R, "expires_in": 3600}}, {}),
        ({"ok": True, "authed_user": {"access_token": T, "refresh_token": R, "expires_in": 3600}}, {}),
        ({"token": {"accessToken": T, "expiresIn": 3600}, "refreshToken": R}, {}),
        (
            {"access_token": "bot", "user": {"access_token": T, "refresh_token": R, "expires_in": 3600}},
            {"path": "user"},
        ),
        ({"d": {"x": [{"access_token": T, "expires": 3600}]}, "refresh_token": R}, {"path": "d.x.0"}),
        ({"d": [{"sid": T, "expires": 3600}], "refresh_token": R}, {"path": "d.0", "access": "sid"}),
        ({"a": {"sid": T}, "b": {"re": R, "end": ONE}}, {"access": "a.sid", "refresh": "b.re", "expires": "b.end"}),
        ({"r": {"sid": T, "re": R, "ttl": "3600"}}, {"path": "r", "access": "sid", "refresh": "re", "expires": "ttl"}),
    ],
)  # fmt: skip
def test_a_token_is_kept_under_its_standard_names(answer: JsonObject, response: JsonObject) -> None:
    token = kept(answer, **response)

    assert (token["access_token"], token["refresh_token"]) == (T, R)
    assert oauth.read_expiry({"oauth": {"token": token}}) == datetime(2026, 1, 5, 13, tzinfo=UTC)
    assert T not in str(redact({"oauth": {"token": token}}))


@pytest.mark.parametrize("expiry", [{}, {"expires_in": None}, {"expires_in": True}, {"expires": {"a": 1}}])
def test_an_expiry_that_can_not_be_read_is_unknown(expiry: JsonObject) -> None:
    assert oauth.read_expiry({"oauth": {"token": kept({"access_token": T, **expiry})}}) is None


def test_a_refresh_token_may_be_absent() -> None:
    assert "refresh_token" not in kept({"sid": T, "id": 7}, access="sid", refresh="again")


def test_the_rest_of_an_answer_is_kept_but_for_secrets_under_other_names() -> None:
    answer = {"r": {"sid": T, "instance": "eu1"}, "team": {"id": 7}}

    token = kept(answer, path="r", access="sid")

    assert token == {
        "r": {"instance": "eu1"},
        "team": {"id": 7},
        "access_token": T,
        "renewed_at": "2026-01-05T12:00:00.000Z",
        "expires_at": None,
    }


@pytest.mark.parametrize(
    ("answer", "response", "message"),
    [
        ({}, {}, "no access token, expected 'access_token'; found nothing with a name"),
        ({"ok": True, "team": T}, {}, "no access token, expected 'access_token'; found 'ok', 'team'"),
        ({"access_token": ""}, {}, "no access token, expected 'access_token'; found 'access_token'"),
        ({"access_token": 5}, {}, "no access token"),
        ({"team": T}, {"path": "data"}, "no object at 'data', expected 'data.access_token'; found 'team'"),
        ({"data": {"x": T}}, {"path": "data"}, "no access token, expected 'data.access_token'; found 'x'"),
        ({"data": {"x": T}}, {"path": "data", "access": "y.z"}, "no access token, expected 'data.y.z'; found 'x'"),
        (
            {"a": {"access_token": T}, "b": {"accessToken": T}},
            {},
            "several access tokens, at 'a', 'b': name one by 'tokenResponse.path'",
        ),
        ({T: {"x": T}, T * 5: 1}, {}, "found nothing with a name"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_without_a_secret(answer: JsonObject, response: JSON, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        kept(answer, **response)

    assert caught.value.code == "token_endpoint"
    assert message in caught.value.message
    assert T not in caught.value.message


@pytest.mark.parametrize(
    ("credentials", "at"),
    [
        ({"tokenResponse": {"path": "a..b"}}, "tokenResponse.path"),
        ({"tokenResponse": "data"}, "tokenResponse"),
        ({"tokenParams": ["a"]}, "tokenParams"),
        ({"tokenParams": {"a": "{{x:date}}"}}, "tokenParams.a"),
        ({"client": {"idParamName": 5}}, "client.idParamName"),
        ({"options": {"scopeSeparator": 1}}, "options.scopeSeparator"),
        ({"options": {"credentialsEncodingMode": "lax"}}, "options.credentialsEncodingMode"),
    ],
)
def test_a_config_that_can_not_be_read_is_told(credentials: JsonObject, at: str) -> None:
    auth = {"auth": {"tokenHost": "https://id.test"}}

    _, faults = parse_config({"base_url": "https://up.test", "credentials": {"oauth2": {**auth, **credentials}}})

    assert [fault.path for fault in faults] == [f"config.credentials.oauth2.{at}"]
