import pytest

from app.engine.json_types import JSON
from app.engine.redaction import MASK, redacted, redacted_config, restored


@pytest.mark.parametrize(
    "key",
    [
        *("api_key", "apiKey", "API-KEY", "x-api-key", "api_token", "token", "password", "secret", "client_secret"),
        *("access_token", "refreshToken", "access_token_secret", "private_key", "Authorization", "db_password", "pwd"),
    ],
)
def test_masks_a_field_that_is_named_like_a_secret(key: str) -> None:
    assert redacted({"deep": [{key: "s3cret"}]}) == {"deep": [{key: MASK}]}


@pytest.mark.parametrize("key", ["subdomain", "tokenHost", "token_type", "key", "secretary", "keyboard", "user", ""])
def test_shows_other_fields(key: str) -> None:
    assert redacted({key: "shown"}) == {key: "shown"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234, MASK),
        ({"nested": "x", "list": ["y", 1]}, {"nested": MASK, "list": [MASK, MASK]}),
        (None, None),
        ("", ""),
        (True, True),
    ],
)
def test_masks_all_that_a_secret_field_holds(value: JSON, shown: JSON) -> None:
    assert redacted({"secret": value}) == {"secret": shown}


def test_looks_into_a_token_that_is_an_object() -> None:
    context = {"oauth": {"token": {"access_token": "a", "expires_at": 5}}}

    assert redacted(context) == {"oauth": {"token": {"access_token": MASK, "expires_at": 5}}}


def test_masks_only_the_literal_secrets_of_a_config() -> None:
    config = {
        "base_url": "https://api.example.com",
        "headers": {"Authorization": "Bearer abc", "X-Api-Key": "{{context.api_key}}"},
        "authorization": {"format": "basic", "config": {"username": "u", "password": "{{context.password}}"}},
        "credentials": {"config": {"client": {"id": "i", "secret": "s"}, "auth": {"tokenPath": "/token"}}},
        "resources": {"token": {"list": {"path": "/token", "authorization": {"format": "bearer", "token": "t"}}}},
    }

    shown = redacted_config(config)

    assert shown == {
        "base_url": "https://api.example.com",
        "headers": {"Authorization": MASK, "X-Api-Key": "{{context.api_key}}"},
        "authorization": {"format": "basic", "config": {"username": MASK, "password": "{{context.password}}"}},
        "credentials": {"config": {"client": {"id": "i", "secret": MASK}, "auth": {"tokenPath": "/token"}}},
        "resources": {"token": {"list": {"path": "/token", "authorization": {"format": "bearer", "token": MASK}}}},
    }


@pytest.mark.parametrize(
    ("sent", "stored", "result"),
    [
        ({"a": MASK, "b": 1}, {"a": "s"}, {"a": "s", "b": 1}),
        ({"a": {"b": MASK}}, {"a": {"b": "s", "c": 1}}, {"a": {"b": "s"}}),
        ([{"a": MASK}, MASK], [{"a": "s"}], [{"a": "s"}, MASK]),
        ({"a": MASK}, {"a": {"b": "s"}}, {"a": {"b": "s"}}),
        ({"a": MASK}, {}, {"a": MASK}),
        ({"a": "new"}, {"a": "s"}, {"a": "new"}),
    ],
)
def test_restores_what_a_mask_stands_for(sent: JSON, stored: JSON, result: JSON) -> None:
    assert restored(sent, stored) == result


def test_masks_secrets_within_lists_of_a_config_and_addresses_with_a_password() -> None:
    config = {"base_url": "https://user:pass@up.test", "steps": [{"api_key": "k"}, "plain"], "tokens": {"token": ["t"]}}

    assert redacted_config(config) == {
        "base_url": MASK,
        "steps": [{"api_key": MASK}, "plain"],
        "tokens": {"token": [MASK]},
    }
