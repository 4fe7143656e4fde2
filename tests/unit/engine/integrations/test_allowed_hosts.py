"""Which hosts get the secrets that a config holds itself."""

from typing import Any

import pytest

from app.engine.accounts import oauth
from app.engine.integrations import allowed_hosts
from app.engine.integrations import config as integration_config
from app.engine.integrations.config import IntegrationConfig
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.services.ports import PageCall
from app.sources import requests


@pytest.mark.parametrize(
    ("pattern", "url", "fits"),
    [
        ("api.example.com", "https://api.example.com/x", True),
        ("api.example.com", "https://API.example.com./x", True),
        ("api.example.com", "http://api.example.com:80/x", False),
        ("api.example.com", "http://api.example.com/x", False),
        ("*.example.com", "http://a.example.com/x", False),
        ("api.example.com", "https://api.example.com:443/x", True),
        ("api.example.com:80", "http://api.example.com/x", True),
        ("http://api.example.com", "http://api.example.com/x", True),
        ("http://api.example.com", "https://api.example.com/x", False),
        ("http://api.example.com", "http://api.example.com:8080/x", False),
        ("http://api.example.com:*", "http://api.example.com:8080/x", True),
        ("http://*.example.com", "http://a.example.com/x", True),
        ("https://api.example.com:*", "http://api.example.com:8080/x", False),
        ("https://[::1]:8443", "https://[::1]:8443", True),
        ("api.example.com", "https://api.example.com:8443/x", False),
        ("api.example.com:8443", "https://api.example.com:8443", True),
        ("api.example.com:8443", "https://api.example.com", False),
        ("api.example.com:*", "http://api.example.com:1", True),
        ("api.example.com", "https://xapi.example.com", False),
        ("api.example.com", "https://api.example.com.evil.test", False),
        ("*.example.com", "https://a.example.com", True),
        ("*.example.com", "https://a.b.example.com", True),
        ("*.example.com", "https://example.com", False),
        ("*.example.com", "https://.example.com", False),
        ("*.example.com", "https://evilexample.com", False),
        ("*.example.com:8443", "https://a.example.com:8443", True),
        ("127.0.0.1:*", "http://127.0.0.1:40001", True),
        ("[::1]:81", "http://[::1]:81", True),
        ("[::1]", "https://[::1]", True),
        ("[::1]", "http://[::1]", False),
        ("http://[::1]", "http://[::1]", True),
        ("[::1]", "https://[::2]", False),
    ],
)
def test_a_pattern_fits_a_host_with_its_port(pattern: str, url: str, fits: bool) -> None:
    assert allowed_hosts.is_admitted([pattern], url) is fits


@pytest.mark.parametrize(
    ("hosts", "at"),
    [
        ("api.example.com", ""),
        ([], ""),
        ({}, ""),
        ([1], ".0"),
        (["https://api.example.com", "ftp://api.example.com"], ".1"),
        (["http://"], ".0"),
        (["https://*"], ".0"),
        (["api.example.com/x"], ".0"),
        (["*"], ".0"),
        (["*.com"], ".0"),
        (["a.*.com"], ".0"),
        (["{{context.host}}"], ".0"),
        (["a b"], ".0"),
        (["a:b"], ".0"),
        (["u@a.test"], ".0"),
        ([""], ".0"),
        (["a..test"], ".0"),
    ],
    ids=str,
)
def test_what_is_no_pattern_is_told_by_its_place(hosts: JSON, at: str) -> None:
    _, faults = integration_config.parse_config({"base_url": "https://up.test", "allowed_hosts": hosts})

    assert [fault.path for fault in faults] == [f"config.allowed_hosts{at}"]


LITERALS: dict[str, JsonObject] = {
    "header": {"authorization": {"format": "header", "header_name": "X-Key", "header_value": "literal-key"}},
    "bearer": {"authorization": {"format": "bearer", "token": "literal-token"}},
    "basic": {"authorization": {"format": "basic", "username": "u", "password": "literal-password"}},
    "of every request": {"headers": {"Authorization": "Bearer literal"}},
    "in the query": {"query": {"api_key": "literal-key"}},
    "of a method": {"resources": {"r": {"list": {"headers": {"X-Api-Key": "literal-key"}}}}},
    "in a method's query": {"resources": {"r": {"list": {"query": {"api_key": "literal-key"}}}}},
}
OPEN = {"origin": "{{context.url}}", "host": "https://{{context.host}}", "registry": "https://{{context.name}}.co.uk"}
CONTEXT: JsonObject = {"url": "https://evil.test", "host": "evil.test", "name": "evil"}


def parsed(raw: JsonObject) -> IntegrationConfig:
    config, faults = integration_config.parse_config(raw)
    assert config is not None, faults
    return config


def draft(raw: JsonObject, context: JsonObject = CONTEXT) -> str:
    config = parsed(raw)
    call = PageCall(account_id="a", config=config, context=context, resource="r", method="list")
    return requests.draft(call, config.find_method("r", "list")).url


@pytest.mark.parametrize("base", OPEN)
@pytest.mark.parametrize("literal", LITERALS)
def test_a_literal_secret_goes_to_no_host_that_an_account_chose(base: str, literal: str) -> None:
    raw: JsonObject = {"base_url": OPEN[base], **LITERALS[literal]}

    with pytest.raises(SourceError) as caught:
        draft(raw)

    assert caught.value.code == "host_not_allowed"
    assert "evil" not in caught.value.message
    assert [fault.path for fault in integration_config.check_new_config(raw)] == ["config.allowed_hosts"]


@pytest.mark.parametrize("literal", LITERALS)
def test_a_literal_secret_goes_to_the_hosts_that_are_listed(literal: str) -> None:
    raw: JsonObject = {"base_url": OPEN["origin"], "allowed_hosts": ["*.Example.com"], **LITERALS[literal]}

    assert draft(raw, {"url": "https://acme.example.com/v1"}) == "https://acme.example.com/v1/r"
    assert integration_config.check_new_config(raw) == []
    with pytest.raises(SourceError, match=r"none of those allowed: \*\.example\.com"):
        draft(raw)


@pytest.mark.parametrize(
    ("base", "context"),
    [
        ("https://{{context.name}}.example.com", CONTEXT),
        ("https://api.example.com", CONTEXT),
        ("{{context.absent?:https://api.example.com}}", CONTEXT),
    ],
)
def test_hosts_that_the_address_names_need_no_list(base: str, context: JsonObject) -> None:
    raw: JsonObject = {"base_url": base, **LITERALS["header"]}

    assert draft(raw, context).endswith(".example.com/r")
    assert integration_config.check_new_config(raw) == []


def test_a_config_without_secrets_goes_where_its_accounts_are() -> None:
    raw: JsonObject = {"base_url": OPEN["origin"], "authorization": {"format": "bearer"}}

    assert draft(raw, {**CONTEXT, "token": "t"}) == "https://evil.test/r"
    assert integration_config.check_new_config(raw) == []


def test_a_client_secret_is_no_secret_of_requests() -> None:
    """Accounts are where their tokens say, and the client's secret goes to its token endpoint alone."""
    auth = {"tokenHost": "https://login.example.com"}
    credentials = {"oauth2": {"client": {"id": "c", "secret": "literal-secret"}, "auth": auth}}
    raw: JsonObject = {"base_url": "{{context.url}}", "credentials": credentials}
    config = parsed(raw).restrict_to(["login.example.com"])
    call = PageCall(account_id="a", config=config, context=CONTEXT, resource="r", method="list")

    assert requests.draft(call, config.find_method("r", "list")).url == "https://evil.test/r"
    assert integration_config.check_new_config(raw) == []


# --- token endpoints -------------------------------------------------------------------------------------------------


def token_url(client: JsonObject, *, context: JsonObject, **parts: Any) -> str:
    auth = {"tokenHost": "{{context.login}}", **parts.pop("auth", {})}
    credentials = {"oauth2_client_credentials": {"client": client, "auth": auth}}
    (grant,) = parsed({"base_url": "https://up.test", "credentials": credentials, **parts}).grants
    return oauth.build_token_request(grant, {"client_id": "c", "client_secret": "context-secret", **context}).url


LITERAL_CLIENT: JsonObject = {"id": "c", "secret": "literal-secret"}
EVIL: JsonObject = {"login": "https://evil.test"}


def test_a_literal_client_secret_goes_to_no_endpoint_that_an_account_chose() -> None:
    with pytest.raises(SourceError) as caught:
        token_url(LITERAL_CLIENT, context=EVIL)

    assert (caught.value.code, "evil.test" in caught.value.message) == ("host_not_allowed", False)


@pytest.mark.parametrize("client", [LITERAL_CLIENT, {}], ids=["literal", "of the context"])
def test_hosts_that_are_listed_hold_for_token_endpoints(client: JsonObject) -> None:
    listed = {"allowed_hosts": ["login.example.com"]}

    assert token_url(client, context={"login": "https://login.example.com"}, **listed) == (
        "https://login.example.com/oauth/token"
    )
    with pytest.raises(SourceError, match="none of those allowed"):
        token_url(client, context=EVIL, **listed)


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("{{context.path}}", "https://evil.test/token", "host_not_allowed"),
        ("{{context.path}}/token", "https://evil.test", None),
        ("/{{context.path}}/token", "../../admin", "request"),
        ("/{{context.path}}/token", "%2e%2e", "request"),
    ],
)
def test_the_path_of_a_token_endpoint_leads_to_no_other_host(path: str, value: str, code: str | None) -> None:
    auth = {"tokenHost": "https://login.example.com/base", "tokenPath": path}
    try:
        url = token_url(LITERAL_CLIENT, context={"path": value}, auth=auth)
    except SourceError as error:
        assert error.code == code
    else:
        assert (code, url) == (None, "https://login.example.com/base/https%3A//evil.test/token")


def test_an_endpoint_whose_whole_address_is_the_accounts_is_asked() -> None:
    auth = {"tokenHost": "https://login.example.com", "tokenPath": "{{context.path}}"}

    assert token_url({}, context={"path": "https://id.test/token"}, auth=auth) == "https://id.test/token"
