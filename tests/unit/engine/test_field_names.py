"""What names say of their values."""

import pytest

from app.engine.field_names import is_plain_name, is_secret_name

SECRET = """
    api_key apiKey API-KEY x-api-key api_token token password secret client_secret access_token refreshToken
    access_token_secret private_key Authorization db_password pwd pat pass apitoken key cert X-Partner-Key hapikey
    Set-Cookie X-Auth-Token sessionid signature jwt passcode
"""
NEITHER = "subdomain tokenHost token_type secretary keyboard user link x-request-id"
POSITIONS = """
    page_token nextPageToken starting_after pagination_key continuation_token next_token syncToken x-next-key
    start_key sort_key scroll_token
"""
PLAIN = """
    Accept accept-language Content-Type User-Agent Stripe-Version X-API-Version per_page pageSize page[size] $top
    filter[status]
"""


@pytest.mark.parametrize("name", SECRET.split())
def test_a_secrets_name(name: str) -> None:
    assert is_secret_name(name)
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", [*NEITHER.split(), *POSITIONS.split(), *PLAIN.split(), ""])
def test_a_name_that_is_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("name", PLAIN.split())
def test_a_plain_name(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize("name", [*NEITHER.split(), "X-Client", "filter[key]", "app", ""])
def test_a_name_that_is_not_plain(name: str) -> None:
    assert not is_plain_name(name)
