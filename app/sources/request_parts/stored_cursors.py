"""Cursors as they are stored: without the account's secrets, which are restored when the page is requested.

A removed secret is stored beside the cursor by its name and its place. Texts of an upstream can not refer to a secret:
names are never read from them. The restored secret is the current one, so that a stored address gets a renewed token.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias
from urllib.parse import quote, quote_plus, urlsplit

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.sources.request_parts.authorization import extract_credential
from app.sources.request_parts.drafts import RequestDraft

_KEY: Final = "secrets"
_PLAIN_KEYS: Final = frozenset({"seen"})
"""Entries of a cursor that hold hashes."""
_RUN: Final = re.compile(r"[A-Za-z0-9]+")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9_.~-]+")
"""Texts that are the same in every form."""
_FORMED: Final = re.compile(r"[%+\\]")
"""Every form but the plain one holds one of these."""

Name: TypeAlias = tuple[str | int, ...]
Text: TypeAlias = tuple[Name, str]
"""A text by its place, or by its name."""

_HEX: Final = re.compile(r"%[0-9A-F]{2}")


def _lower_hex(text: str) -> str:
    return _HEX.sub(lambda found: found[0].lower(), text)


_FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "plain": lambda text: text,
    "quoted": lambda text: quote(text, safe=""),
    "quoted path": quote,
    "quoted plus": quote_plus,
    "quoted in lower case": lambda text: _lower_hex(quote(text, safe="")),
    "quoted path in lower case": lambda text: _lower_hex(quote(text)),
    "quoted plus in lower case": lambda text: _lower_hex(quote_plus(text)),
    "quoted twice": lambda text: quote(quote(text, safe=""), safe=""),
    "escaped": lambda text: json.dumps(text)[1:-1],
    "escaped where needed": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "slashed": lambda text: text.replace("/", "\\/"),
}
"""How a secret may be written in an address or in JSON; the names are stored."""


def hide_secrets(cursor: JsonObject | None, drafted: RequestDraft) -> JsonObject | None:
    """Remove every secret of a request from the cursor behind it; one without secrets is returned unchanged."""
    if cursor is None:
        return None
    texts = [text for key, value in cursor.items() if key not in _PLAIN_KEYS for text in _list_texts((key,), value)]
    if not texts:
        return cursor
    everything = "\n".join(text for _, text in texts)
    found = {secret for secret in drafted.secrets if _may_hold(everything, secret)}
    written = _find_forms(everything, found, drafted) if found else {}
    return _remove_forms(cursor, texts, written) if written else cursor


def restore_secrets(cursor: JsonObject | None, drafted: RequestDraft) -> JsonObject | None:
    """Restore the secrets in a stored cursor; raise SourceError when the account no longer has one of them."""
    if cursor is None or _KEY not in cursor:
        return cursor
    named = dict(_list_secrets(drafted))
    whole: JsonObject = {key: value for key, value in cursor.items() if key != _KEY}
    # The last first, so that the others' places stay as they are.
    for place, offset, name, form in reversed(cursor[_KEY]):
        secret = named.get(tuple(name))
        if secret is None:
            where = ".".join(map(str, name))
            message = f"the list can not go on where it was: its position holds '{where}', which is not there any more"
            raise SourceError("pagination", message)
        whole = _insert(whole, place, offset, _FORMS[form](secret))
    return whole


def _remove_forms(cursor: JsonObject, texts: list[Text], written: Mapping[str, tuple[Name, str]]) -> JsonObject:
    # The longest first: one may be a part of another.
    pattern = re.compile("|".join(re.escape(form) for form in sorted(written, key=len, reverse=True)))
    removed: list[JSON] = []
    kept: JsonObject = cursor
    for place, text in texts:
        left, end = "", 0
        for match in pattern.finditer(text):
            left += text[end : match.start()]
            end = match.end()
            name, form = written[match[0]]
            removed.append([list(place), len(left), list(name), form])
        if end:
            kept = _copy_with(kept, place, left + text[end:])
    return {**kept, _KEY: removed}


def _find_forms(text: str, secrets: set[str], drafted: RequestDraft) -> dict[str, tuple[Name, str]]:
    """Return the name and form of each secret by the way in which the text holds it."""
    found: dict[str, tuple[Name, str]] = {}
    is_plain = _FORMED.search(text) is None
    for name, secret in _list_secrets(drafted):
        if secret in secrets:
            secrets.discard(secret)
            is_alike = is_plain or _UNRESERVED.fullmatch(secret) is not None
            forms = ((form, write(secret)) for form, write in _FORMS.items() if not is_alike or form == "plain")
            found |= {written: (name, form) for form, written in forms if written not in found and written in text}
    return found


def _may_hold(text: str, secret: str) -> bool:
    """Whether a secret may occur: its runs of letters and digits stay together, however it is written."""
    return all(run in text for run in _RUN.findall(secret))


def _list_secrets(drafted: RequestDraft) -> Iterator[Text]:
    """Yield every secret of a request by its name: its place in the account's context, or in the request."""
    yield from _list_texts(("context",), drafted.context)
    yield from _list_numbers(("context",), drafted.context)
    yield ("url", "password"), urlsplit(drafted.url).password or ""
    for part, values in (("query", drafted.query), ("headers", drafted.headers), ("body", drafted.body)):
        for place, text in _list_texts((part,), values):
            yield place, text
            yield (*place, "credential"), extract_credential(text)


def _list_texts(place: Name, value: JSON) -> Iterator[Text]:
    match value:
        case str():
            yield place, value
        case dict():
            for key, item in value.items():
                yield from _list_texts((*place, key), item)
        case list():
            for index, item in enumerate(value):
                yield from _list_texts((*place, index), item)


def _list_numbers(place: Name, value: JSON) -> Iterator[Text]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _list_numbers((*place, key), item)
        case list():
            for index, item in enumerate(value):
                yield from _list_numbers((*place, index), item)
        case int() | float() if not isinstance(value, bool):
            yield place, str(value)


def _insert(cursor: JsonObject, place: list[str | int], offset: int, text: str) -> JsonObject:
    found: JSON = cursor
    for key in place:
        found = found[key]
    changed: JsonObject = _copy_with(cursor, tuple(place), found[:offset] + text + found[offset:])
    return changed


def _copy_with(value: JSON, place: Name, text: str) -> JSON:
    """Copy a value with another text at a place."""
    if not place:
        return text
    key, *rest = place
    if isinstance(value, list):
        return [_copy_with(one, tuple(rest), text) if index == key else one for index, one in enumerate(value)]
    return {**value, key: _copy_with(value[key], tuple(rest), text)}
