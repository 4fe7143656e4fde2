"""The config of a datastore, and the options of a destination: every fault at once, and no value in a message."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.destinations import key_checks
from app.engine.destinations.config_keys import KEYS, UNSUPPORTED
from app.engine.destinations.datastore_config import check_config, list_secrets, show_config
from app.engine.destinations.frozen import build_judge
from app.engine.destinations.options import OPTIONS, check_options
from app.engine.objects.destinations import DatastoreType
from app.engine.schemas.columns import Column, ColumnType, ResourceSchema

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
VALID: dict[DatastoreType, dict[str, Any]] = {
    DatastoreType.POSTGRES: {"host": "h", "database": "d", "user": "u", "root_certificate": CERTIFICATE},
    DatastoreType.S3: {"bucket": "b", "access_key_id": "k", "secret_access_key": "s", "base_url": "http://s3:9000"},
    DatastoreType.GOOGLE_CLOUD_STORAGE: {"bucket": "b", "credentials": {"type": "service_account"}, "prefix": ""},
    DatastoreType.AZURE_BLOB: {"container": "c", "account_name": "a", "sas_token": "t"},
    DatastoreType.FILESYSTEM: {"path": "exports/acme"},
    DatastoreType.DUCKDB: {"path": "acme.duckdb"},
}


@pytest.mark.parametrize("kind", DatastoreType)
def test_every_type_has_keys_options_and_a_valid_config(kind: DatastoreType) -> None:
    assert check_config(kind, VALID[kind]) == []
    assert kind in OPTIONS
    assert kind not in UNSUPPORTED
    assert check_options(kind, {}) == []


@pytest.mark.parametrize("kind", DatastoreType)
def test_what_is_required_is_named(kind: DatastoreType) -> None:
    paths = {failure.path for failure in check_config(kind, {})}

    required = {f"config.{name}" for name, key in KEYS[kind].items() if key.is_required}
    assert required <= paths
    assert paths, kind


@pytest.mark.parametrize("kind", DatastoreType)
def test_secrets_are_never_shown(kind: DatastoreType) -> None:
    config = dict.fromkeys(KEYS[kind], "value")

    shown, secrets = show_config(kind, {**config, "unknown": "value"}), list_secrets(kind, config)

    assert {*shown, *secrets} == set(KEYS[kind])
    assert not set(shown) & set(secrets)


@pytest.mark.parametrize("kind", DatastoreType)
@given(value=st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.text())))
def test_any_value_of_a_key_is_taken_or_refused_without_repeating_it(kind: DatastoreType, value: Any) -> None:
    for name in KEYS[kind]:
        for failure in check_config(kind, {**VALID[kind], name: value}):
            assert failure.path.startswith("config")
            assert len(failure.message) < 300


def test_a_config_that_is_no_object_is_refused() -> None:
    assert [failure.path for failure in check_config(DatastoreType.S3, ["bucket"])] == ["config"]


def test_credentials_of_the_machine_serve_where_they_may() -> None:
    assert check_config(DatastoreType.S3, {"bucket": "b"}, may_lack_credentials=True) == []
    (failure,) = check_config(DatastoreType.AZURE_BLOB, {"container": "c", "account_name": "a"})
    assert failure.message == "lacks credentials: expected account_key, or sas_token"


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("postgresql://u:p@h:5432/d?sslmode=require", True),
        ("postgres://u@h/d", True),
        ("postgresql://u:p@/d?host=/var/run", False),
        ("postgresql://u:p@h1,h2/d", False),
        ("postgresql://u:p@h/", False),
        ("postgresql://h/d", False),
        ("postgresql://u:p@h/d?options=-cx", False),
        ("postgresql://u:p@h:0/d", False),
        ("postgresql://u:p@[::1/d", False),
        ("mysql://u:p@h/d", False),
        ("postgresql://u:p@h/d e", False),
        (7, False),
    ],
)
def test_an_address_names_one_place_and_nothing_else(url: Any, is_taken: bool) -> None:
    fault = key_checks.check_postgres_url(url)

    assert (fault is None) is is_taken
    assert ":p@" not in (fault or "")


@pytest.mark.parametrize("path", ["", "/etc", "a/../b", ".", "a//b", "a/", "a\\b", "a\0", "a" * 20_000, 1])
def test_a_path_stays_below_where_it_begins(path: Any) -> None:
    assert key_checks.check_path(path) is not None


@pytest.mark.parametrize("url", ["ftp://h", "http://u:p@h", "https://", "h", 1])
def test_a_web_address_has_no_user(url: Any) -> None:
    assert key_checks.check_web_address(url) is not None


def test_options_of_another_type_are_refused() -> None:
    failures = check_options(DatastoreType.POSTGRES, {"schema": "landed", "format": "csv"})
    assert [failure.path for failure in failures] == ["options.format"]
    assert check_options(DatastoreType.POSTGRES, {"schema": "pg_catalog"}) != []
    assert check_options(DatastoreType.S3, {"format": "parquet"}) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"a": 1, "b": None}, None),
        ({}, None),
        ({"a": "one"}, "does not fit the column of 'a', and the schema is frozen"),
        ({"c": 1}, "there is no column for 'c', and the schema is frozen"),
        ([1], "is no object"),
    ],
)
def test_what_a_frozen_schema_has_no_place_for_is_told(data: Any, reason: str | None) -> None:
    columns = [Column(name="a", key="a", type=ColumnType.BIGINT)]
    schema = ResourceSchema(environment_id="e", integration_name="i", resource="r", columns=columns)

    assert build_judge(schema)(data) == reason
