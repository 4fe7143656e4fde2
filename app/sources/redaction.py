"""Keep an account's secrets out of what people get to see: errors, their excerpts, and URLs."""

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from app.engine.json_types import JSON

_MASK = "***"
# A shorter text is no secret worth the name, and to mask every "en" or "v2" would make errors unreadable.
_SHORTEST_SECRET = 4


def secrets_in(*values: JSON) -> frozenset[str]:
    """Collect every text within some JSON values: which of an account's context are secret can not be told."""
    return frozenset(text for value in values for text in _texts(value) if len(text) >= _SHORTEST_SECRET)


def masked(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets within a text, also where they stand percent-encoded or JSON-escaped."""
    # The longest first: a secret may be a part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        for form in _forms(secret):
            text = text.replace(form, _MASK)
    return text


def _forms(secret: str) -> set[str]:
    """Write a secret in every way in which an address, a form or JSON may hold it."""
    if secret.isascii() and secret.isalnum():
        return {secret}
    in_addresses = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], secret.replace("/", "\\/")}
    return {secret} | in_addresses | in_json


def _texts(value: JSON) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
