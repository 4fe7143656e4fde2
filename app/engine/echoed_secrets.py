"""Secrets of an account that its upstream has given back among its records: they are not shown where a run is tried."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from app.engine.json_types import JSON, JsonObject
from app.engine.redaction import MASK, redacted

_SHORTEST: Final = 8
"""To mask shorter texts would ruin data that holds them by chance."""


def without_secrets(records: list[JSON], context: JsonObject) -> list[JSON]:
    """Copy records with every secret of a context masked in their texts."""
    secrets = {text for text in _hidden(context, redacted(context)) if len(text) >= _SHORTEST}
    forms = {form for text in secrets for form in (text, quote(text, safe=""), quote(text), quote_plus(text))}
    # The longest first: a secret may be a part of another.
    ordered = sorted(forms, key=len, reverse=True)
    return [_masked(record, ordered) for record in records] if ordered else records


def _hidden(value: JSON, shown: JSON) -> Iterator[str]:
    """Yield the texts and numbers that are masked where a value is shown."""
    match value, shown:
        case dict(), dict():
            for key, one in value.items():
                yield from _hidden(one, shown[key])
        case list(), list():
            for one, other in zip(value, shown, strict=True):
                yield from _hidden(one, other)
        case _ if value != shown:
            yield str(value)


def _masked(value: JSON, forms: list[str]) -> JSON:
    match value:
        case dict():
            return {_masked(key, forms): _masked(one, forms) for key, one in value.items()}
        case list():
            return [_masked(one, forms) for one in value]
        case str():
            for form in forms:
                value = value.replace(form, MASK)
            return value
        case _:
            return value
