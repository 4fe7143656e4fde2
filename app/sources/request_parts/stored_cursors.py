"""Cursors as they are stored: without the account's secrets, which are put back when the page is asked for.

What was taken out stands beside the cursor by its name and its place. Texts of an upstream can not claim such a name:
they are only ever what is put into, never what names. What is put back is the secret of that moment, so that a token
that was renewed meanwhile is the new one in a stored address as well.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias
from urllib.parse import quote, quote_plus, urlsplit

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.sources.request_parts.authorization import credential
from app.sources.request_parts.drafts import RequestDraft

_KEY: Final = "secrets"
_PLAIN_KEYS: Final = frozenset({"seen"})
"""Entries of a cursor that are hashes."""
_RUN: Final = re.compile(r"[A-Za-z0-9]+")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9_.~-]+")
"""What is written alike in every form."""
_FORMED: Final = re.compile(r"[%+\\]")
"""One of these is in every form that is not the plain one."""

Name: TypeAlias = tuple[str | int, ...]
Text: TypeAlias = tuple[Name, str]
"""A text by its place, or by its name."""

_HEX: Final = re.compile(r"%[0-9A-F]{2}")


def _lower(text: str) -> str:
    return _HEX.sub(lambda found: found[0].lower(), text)


_FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "plain": lambda text: text,
    "quoted": lambda text: quote(text, safe=""),
    "quoted path": quote,
    "quoted plus": quote_plus,
    "quoted in lower case": lambda text: _lower(quote(text, safe="")),
    "quoted path in lower case": lambda text: _lower(quote(text)),
    "quoted plus in lower case": lambda text: _lower(quote_plus(text)),
    "quoted twice": lambda text: quote(quote(text, safe=""), safe=""),
    "escaped": lambda text: json.dumps(text)[1:-1],
    "escaped where needed": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "slashed": lambda text: text.replace("/", "\\/"),
}
"""How a secret may be written in an address or in JSON; the names are stored."""


def hidden(cursor: JsonObject | None, drafted: RequestDraft) -> JsonObject | None:
    """Take every secret of a request out of the cursor behind it; one without any is returned as it is."""
    if cursor is None:
        return None
    texts = [text for key, value in cursor.items() if key not in _PLAIN_KEYS for text in _texts((key,), value)]
    if not texts:
        return cursor
    everything = "\n".join(text for _, text in texts)
    found = {secret for secret in drafted.secrets if _may_hold(everything, secret)}
    written = _written(everything, found, drafted) if found else {}
    return _without(cursor, texts, written) if written else cursor


def shown(cursor: JsonObject | None, drafted: RequestDraft) -> JsonObject | None:
    """Put the secrets of a request back into a stored cursor; raise SourceError when the account has one no more."""
    if cursor is None or _KEY not in cursor:
        return cursor
    named = dict(_named(drafted))
    whole: JsonObject = {key: value for key, value in cursor.items() if key != _KEY}
    # The last first, so that the others' places stay as they are.
    for place, offset, name, form in reversed(cursor[_KEY]):
        secret = named.get(tuple(name))
        if secret is None:
            where = ".".join(map(str, name))
            message = f"the list can not go on where it was: its position holds '{where}', which is not there any more"
            raise SourceError("pagination", message)
        whole = _inserted(whole, place, offset, _FORMS[form](secret))
    return whole


def _without(cursor: JsonObject, texts: list[Text], written: Mapping[str, tuple[Name, str]]) -> JsonObject:
    # The longest first: one may be a part of another.
    pattern = re.compile("|".join(re.escape(form) for form in sorted(written, key=len, reverse=True)))
    taken: list[JSON] = []
    kept: JsonObject = cursor
    for place, text in texts:
        left, end = "", 0
        for match in pattern.finditer(text):
            left += text[end : match.start()]
            end = match.end()
            name, form = written[match[0]]
            taken.append([list(place), len(left), list(name), form])
        if end:
            kept = _put(kept, place, left + text[end:])
    return {**kept, _KEY: taken}


def _written(text: str, secrets: set[str], drafted: RequestDraft) -> dict[str, tuple[Name, str]]:
    """Return the name and form of each secret by the way in which the text holds it."""
    found: dict[str, tuple[Name, str]] = {}
    is_plain = _FORMED.search(text) is None
    for name, secret in _named(drafted):
        if secret in secrets:
            secrets.discard(secret)
            is_alike = is_plain or _UNRESERVED.fullmatch(secret) is not None
            forms = ((form, write(secret)) for form, write in _FORMS.items() if not is_alike or form == "plain")
            found |= {written: (name, form) for form, written in forms if written not in found and written in text}
    return found


def _may_hold(text: str, secret: str) -> bool:
    """Whether to look closer: however a secret is written, its letters and digits stay together."""
    return all(run in text for run in _RUN.findall(secret))


def _named(drafted: RequestDraft) -> Iterator[Text]:
    """Name every secret of a request: by its place in the account's context, or in the request."""
    yield from _texts(("context",), drafted.context)
    yield from _numbers(("context",), drafted.context)
    yield ("url", "password"), urlsplit(drafted.url).password or ""
    for part, values in (("query", drafted.query), ("headers", drafted.headers), ("body", drafted.body)):
        for place, text in _texts((part,), values):
            yield place, text
            yield (*place, "credential"), credential(text)


def _texts(place: Name, value: JSON) -> Iterator[Text]:
    match value:
        case str():
            yield place, value
        case dict():
            for key, item in value.items():
                yield from _texts((*place, key), item)
        case list():
            for index, item in enumerate(value):
                yield from _texts((*place, index), item)


def _numbers(place: Name, value: JSON) -> Iterator[Text]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _numbers((*place, key), item)
        case list():
            for index, item in enumerate(value):
                yield from _numbers((*place, index), item)
        case int() | float() if not isinstance(value, bool):
            yield place, str(value)


def _inserted(cursor: JsonObject, place: list[str | int], offset: int, text: str) -> JsonObject:
    found: JSON = cursor
    for key in place:
        found = found[key]
    changed: JsonObject = _put(cursor, tuple(place), found[:offset] + text + found[offset:])
    return changed


def _put(value: JSON, place: Name, text: str) -> JSON:
    """Copy a value with another text at a place."""
    if not place:
        return text
    key, *rest = place
    if isinstance(value, list):
        return [_put(one, tuple(rest), text) if index == key else one for index, one in enumerate(value)]
    return {**value, key: _put(value[key], tuple(rest), text)}
