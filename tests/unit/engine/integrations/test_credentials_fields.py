"""Which values a person is asked for, whatever form the credentials have."""

import pytest

from app.engine.integrations.credentials import list_field_names
from app.engine.json_types import JSON

KEY = {"fields": [{"name": "api_key"}]}
SITE = {"config": {"fields": [{"name": "site"}, {"label": "nameless"}, "no field"]}}


@pytest.mark.parametrize(
    ("credentials", "method", "expected"),
    [
        ({"format": "api_key", **KEY}, "oauth2", {"api_key"}),
        ({"format": "api_key", **SITE}, "api_key", {"site"}),
        ({"api_key": KEY, "basic": SITE}, "basic", {"site"}),
        ({"api_key": KEY, "basic": SITE}, "another", {"api_key", "site"}),
        ({"api_key": "no form"}, "api_key", set()),
        (None, "api_key", set()),
    ],
    ids=["flat", "wrapped", "of the method", "of any method", "no form", "none"],
)
def test_fields_are_named(credentials: JSON, method: str, expected: set[str]) -> None:
    assert list_field_names(credentials, method) == expected
