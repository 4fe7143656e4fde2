"""Which keys the config of each type of datastore has, as data."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.engine.config.keyed import ConfigKey
from app.engine.destinations.key_checks import (
    check_certificate,
    check_choice,
    check_container,
    check_host,
    check_name,
    check_object,
    check_path,
    check_port,
    check_postgres_url,
    check_prefix,
    check_text,
    check_web_address,
)
from app.engine.objects.destinations import DatastoreType

_TEXT: Final = ConfigKey(check=check_text)
_SECRET: Final = ConfigKey(check=check_text, is_secret=True)
_PREFIX: Final = ConfigKey(check=check_prefix)
_ADDRESS: Final = ConfigKey(check=check_web_address)
_BUCKET: Final = ConfigKey(check=check_container, is_required=True)
SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

KEYS: Final[Mapping[DatastoreType, Mapping[str, ConfigKey]]] = MappingProxyType(
    {
        DatastoreType.POSTGRES: {
            "url": ConfigKey(check=check_postgres_url, is_secret=True),
            "host": ConfigKey(check=check_host),
            "port": ConfigKey(check=check_port),
            "database": ConfigKey(check=check_name),
            "user": ConfigKey(check=check_name),
            "password": _SECRET,
            "sslmode": ConfigKey(check=check_choice(SSL_MODES)),
            "root_certificate": ConfigKey(check=check_certificate),
        },
        DatastoreType.S3: {
            "bucket": _BUCKET,
            "region": _TEXT,
            "access_key_id": _TEXT,
            "secret_access_key": _SECRET,
            "session_token": _SECRET,
            "base_url": _ADDRESS,
            "prefix": _PREFIX,
        },
        DatastoreType.GOOGLE_CLOUD_STORAGE: {
            "bucket": _BUCKET,
            "credentials": ConfigKey(check=check_object, is_secret=True),
            "base_url": _ADDRESS,
            "prefix": _PREFIX,
        },
        DatastoreType.AZURE_BLOB: {
            "container": _BUCKET,
            "account_name": ConfigKey(check=check_name, is_required=True),
            "account_key": _SECRET,
            "sas_token": _SECRET,
            "base_url": _ADDRESS,
            "prefix": _PREFIX,
        },
        DatastoreType.FILESYSTEM: {"path": ConfigKey(check=check_path, is_required=True)},
        DatastoreType.DUCKDB: {"path": ConfigKey(check=check_path, is_required=True)},
    }
)

CREDENTIALS: Final[Mapping[DatastoreType, tuple[frozenset[str], ...]]] = MappingProxyType(
    {
        DatastoreType.S3: (frozenset({"access_key_id", "secret_access_key"}),),
        DatastoreType.GOOGLE_CLOUD_STORAGE: (frozenset({"credentials"}),),
        DatastoreType.AZURE_BLOB: (frozenset({"account_key"}), frozenset({"sas_token"})),
    }
)
"""One of these sets of keys has to be there, unless the machine's own credentials may be used."""

UNSUPPORTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mongo_data_api": "is not supported: MongoDB has ended its Data API",
        "qdrant": "is not supported yet",
    }
)
"""Types of the compatible API that are refused, each with the reason."""
