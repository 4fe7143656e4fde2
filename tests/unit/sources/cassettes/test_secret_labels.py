"""What a HAR file holds in the place of secrets, however these are written."""

import html
import json
from urllib.parse import quote

import pytest

from app.sources.cassettes.secret_labels import SecretLabels

PAT = 'canary/+"7f3a9'
LABELS = SecretLabels({"pat": PAT, "account": 12345678}, frozenset({"other-canary", "12345678"}))


@pytest.mark.parametrize(
    "text",
    [
        f"a {PAT} b",
        f"https://up.test/things?pat={quote(PAT, safe='')}",
        json.dumps({"pat": PAT}),
    ],
    ids=["plain", "address", "JSON"],
)
def test_a_label_is_turned_back(text: str) -> None:
    hidden = LABELS.hide(text)

    assert "canary" not in hidden
    assert LABELS.show(hidden) == text


@pytest.mark.parametrize(
    "written",
    [
        quote(quote(PAT, safe=""), safe=""),
        quote(PAT, safe="").lower(),
        html.escape(PAT).replace("/", "&#x2f;"),
        json.dumps(json.dumps(PAT)),
        json.dumps(PAT).replace("/", "\\/"),
        "".join(f"\\u{ord(one):04X}" for one in PAT),
        "other%2Dcanary",
    ],
    ids=["twice", "lower case", "HTML", "JSON twice", "JSON with slashes", "all escaped", "of elsewhere"],
)
def test_other_writings_are_masked(written: str) -> None:
    hidden = LABELS.hide(f"<{written}>")

    assert "***" in hidden
    assert "canary" not in hidden
    assert "7f3a9" not in hidden


def test_digits_are_masked_but_where_they_are_a_number_of_json() -> None:
    assert LABELS.hide("/things/12345678?id=12345678") == "/things/***?id=***"
    assert LABELS.hide('{"id": 12345678, "ids":[12345678]}') == '{"id": 12345678, "ids":[12345678]}'
