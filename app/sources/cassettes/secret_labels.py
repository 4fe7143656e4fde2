"""Replace an account's secrets by labels, and labels by the secrets of an account.

A label names the place of a text within the account's context, such as ``__context.oauth.token.access_token__``, so
that a recording of one account can be replayed with another.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

from app.engine.json_types import JSON, JsonObject
from app.sources.exchange.redaction import MASK, SHORTEST, mask_secrets

_FORMED: Final = re.compile(r"(__context\.[A-Za-z0-9_.-]+?)\.(?:quoted|path|plus|escaped|plain|slashed)__")
_ODD: Final = re.compile(r"[^A-Za-z0-9_.]+")


class SecretLabels:
    """The labels of one account's context."""

    def __init__(self, context: JsonObject, others: frozenset[str] = frozenset()) -> None:
        """``others`` are secrets from elsewhere, which are masked for good."""
        self._labels: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        for path, text in _list_texts(context, "context"):
            for form, written in _list_forms(text).items():
                label = f"__{path}{form}__"
                self._texts.setdefault(label, written)
                if len(text) >= SHORTEST:
                    self._labels.setdefault(written, label)
        for text in others:
            for written in _list_forms(text).values():
                if written not in self._labels and len(text) >= SHORTEST:
                    self._labels[written] = MASK
        written_anyhow = (*others, *(text for _, text in _list_texts(context, "") if len(text) >= SHORTEST))
        self._secrets = frozenset(text for text in written_anyhow if not text.isdigit())
        self._secret = _match_any(self._labels)
        self._label = _match_any(self._texts)

    def hide(self, text: str) -> str:
        """Replace secrets by labels, and by masks where they are written in a form that has no label."""
        pieces, end = [], 0
        for found in self._secret.finditer(text):
            pieces += [mask_secrets(text[end : found.start()], self._secrets), self._labels[found[0]]]
            end = found.end()
        return "".join((*pieces, mask_secrets(text[end:], self._secrets)))

    def show(self, text: str) -> str:
        """Replace labels by secrets."""
        return self._label.sub(lambda found: self._texts[found[0]], text)


def drop_forms(hidden: str) -> str:
    """Remove the forms from labels, which differ between accounts."""
    return _FORMED.sub(r"\1__", hidden)


def _list_forms(text: str) -> Mapping[str, str]:
    """Return the forms of a text, by the ending of their labels."""
    return {
        "": text,
        ".quoted": quote(text, safe=""),
        ".path": quote(text),
        ".plus": quote_plus(text),
        ".escaped": json.dumps(text)[1:-1],
        ".plain": json.dumps(text, ensure_ascii=False)[1:-1],
        ".slashed": text.replace("/", "\\/"),
    }


def _list_texts(value: JSON, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _list_texts(item, f"{path}.{_ODD.sub('-', key)}")
        case list():
            for position, item in enumerate(value):
                yield from _list_texts(item, f"{path}.{position}")


def _match_any(texts: Mapping[str, str]) -> re.Pattern[str]:
    """Match any of the texts, the longest first: one may be a part of another."""
    ordered = sorted((text for text in texts if text), key=len, reverse=True)
    return re.compile("|".join(map(_match_one, ordered)) or r"(?!)")


def _match_one(text: str) -> str:
    """Match a text; digits alone not where they are a number of JSON, which a label would break."""
    return rf"(?<![:,\[])(?<![:,\[] ){text}" if text.isdigit() else re.escape(text)
