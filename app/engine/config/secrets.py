"""The literal secrets of an integration's config: what is sealed where it is stored, and masked where it is shown.

A literal value of a header, a parameter or a body is a secret unless its name is plain (``field_names``) or listed in
``non_secret``; so is what ``authorization`` holds, what is named like a secret anywhere, and an address with a user,
such a parameter, or a token in its path. A placeholder holds no secret, what stands beside it may. Expressions and
schemas stay readable.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from urllib.parse import unquote_plus

from app.engine.config import non_secrets
from app.engine.errors import Failure
from app.engine.field_names import is_plain_name, is_secret_name
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import Path, lookup
from app.engine.redaction import MASK
from app.engine.templating.placeholders import list_literal_pieces

_SHORTEST: Final = 4
_WORDS_AROUND: Final = re.compile(
    r"(?<![^\W_])(?:bearer|basic|token|api[-_]?key|key|digest|oauth|zoho-oauthtoken|ssws|bot|jwt|geniekey)(?![^\W_])",
    re.IGNORECASE,
)
"""Schemes of authorization, and the words that go with them."""
_SIGNS: Final = re.compile(r"[^\w]+")
_USER: Final = re.compile(r"[a-z]+://([^/?#@\s]+)@", re.IGNORECASE)
_ORIGIN: Final = re.compile(r"[a-z]+://[^/?#\s]*", re.IGNORECASE)
_SHORTEST_SEGMENT: Final = 20
_LEAST_CHANGES: Final = 3
_CHANGE: Final = re.compile(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")
"""From letters to digits, or back: what is made up by chance has several."""


def find_value_secrets(value: JSON) -> frozenset[str]:
    """Return what of a header's, a parameter's or a field's value is secret; nothing where placeholders say it all."""
    if value is None or isinstance(value, bool | dict | list):
        return frozenset()
    text = str(value)
    pieces = list_literal_pieces(text)
    if not _is_long("".join(pieces)):
        return frozenset()
    if "{{" in text:
        return frozenset(piece.strip() for piece in pieces if _is_long(piece))
    return frozenset({text, text.partition(" ")[2].strip() or text})


def find_address_secrets(text: str, plain: frozenset[str]) -> frozenset[str]:
    """Return what of an address is secret: its user, parameters by other names than plain ones, a path's tokens."""
    literal = "".join(list_literal_pieces(text))
    address, _, query = literal.partition("#")[0].partition("?")
    user = _USER.match(address)
    segments = _ORIGIN.sub("", address).split("/")
    found = {part for part in re.split(":", user[1]) if _is_long(part)} if user else set()
    found |= {segment for segment in segments if _is_token(segment)}
    return frozenset(found.union(*_find_parameter_secrets(query, plain)))


def _find_parameter_secrets(query: str, plain: frozenset[str]) -> Iterator[frozenset[str]]:
    for pair in query.split("&"):
        name, mark, value = pair.partition("=")
        if mark and not (is_plain_name(name) or unquote_plus(name).lower() in plain):
            yield find_value_secrets(value) | find_value_secrets(unquote_plus(value))
        elif _is_token(pair):
            yield frozenset({pair})


def _is_long(text: str) -> bool:
    return len(_SIGNS.sub("", _WORDS_AROUND.sub("", text))) >= _SHORTEST


def _is_token(segment: str) -> bool:
    return len(segment) >= _SHORTEST_SEGMENT and len(_CHANGE.findall(segment)) >= _LEAST_CHANGES


_SENT_KEYS: Final = frozenset(["headers", "query", "params", "body", "form", "cookies", "tokenParams", "tokenHeaders"])
"""What is below these is sent, name by name."""
_READABLE_KEYS: Final = frozenset({"examples", "tool_tags", "scopes", "scope", "fields", non_secrets.KEY})
_READABLE_OF_AUTHORIZATION: Final = frozenset(["format", "header_name", "name", "header", "expression"])
_ADDRESS_KEY: Final = re.compile(r"(?:url|uri|path|host|address|endpoint|href|link)\Z", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"\s*https?://", re.IGNORECASE)
_SCHEMA: Final = "_schema"
RECORDS_SCHEMA: Final = "schema"
"""Where a resource has the JSON Schema of its records, beside its methods."""


@dataclass(frozen=True, slots=True)
class LiteralSecret:
    """A value of a config that holds a secret."""

    path: Path
    value: JSON
    texts: frozenset[str]
    """What of it is secret; nothing is known of what is sealed."""


Change = Callable[[LiteralSecret], JSON]


def change_secrets(
    config: JsonObject, change: Change, *, is_secret: Callable[[JSON], bool] = lambda _value: False
) -> JsonObject:
    """Copy a config with every literal secret changed, and each value that ``is_secret`` claims."""
    return _Walk(change, is_secret, non_secrets.read_plain_names(config)).change_config(config)


def redact_config(config: JsonObject) -> JsonObject:
    """Show a config with its literal secrets masked."""
    return change_secrets(config, lambda _secret: MASK)


def list_literal_secrets(config: JsonObject) -> list[LiteralSecret]:
    """List the literal secrets of a config."""
    found: list[LiteralSecret] = []

    def note(secret: LiteralSecret) -> JSON:
        found.append(secret)
        return secret.value

    change_secrets(config, note)
    return found


def find_revelations(before: JsonObject, after: JsonObject, sent: JSON, at: str) -> list[Failure]:
    """Return which secrets of a config a change would show, other than those that were sent with it."""
    still = {secret.path for secret in list_literal_secrets(after)}
    return [
        Failure(f"{at}.{'.'.join(secret.path)}", "is kept as a secret, and non_secret would show it: enter it again")
        for secret in list_literal_secrets(before)
        if secret.path not in still
        and lookup(after, secret.path) == secret.value
        and lookup(sent, secret.path) != secret.value
    ]


def find_unreadable(unreadable: Collection[Path], before: JsonObject, after: JsonObject, at: str) -> list[Failure]:
    """Return which of the values that do not decrypt a change leaves where they are."""
    message = "what is stored does not decrypt: send it again"
    return [
        Failure(f"{at}.{'.'.join(path)}", message)
        for path in sorted(unreadable)
        if lookup(after, path) == lookup(before, path)
    ]


class _Part(Enum):
    """What the values within a part of a config are."""

    SETTINGS = auto()
    SENT = auto()
    AUTHORIZATION = auto()


@dataclass(frozen=True, slots=True)
class _Walk:
    """Goes through a config and changes its secrets."""

    change: Change
    is_secret: Callable[[JSON], bool]
    plain: frozenset[str]
    """Names that are declared to hold none, in lower case."""

    def change_config(self, config: JsonObject) -> JsonObject:
        return {
            key: self._change_resources(value)
            if key == "resources"
            else self._change_entry(key, value, (key,), _Part.SETTINGS)
            for key, value in config.items()
        }

    def _change_resources(self, resources: JSON) -> JSON:
        """Go through methods: the names of these and of resources are names of no setting."""
        if not isinstance(resources, dict):
            return resources
        return {
            name: {
                method: one
                if method == RECORDS_SCHEMA
                else self._change_value(method, one, ("resources", name, method), _Part.SETTINGS)
                for method, one in methods.items()
            }
            if isinstance(methods, dict)
            else methods
            for name, methods in resources.items()
        }

    def _change_entry(self, key: str, value: JSON, path: Path, part: _Part) -> JSON:
        is_branch = isinstance(value, dict | list)
        if part is _Part.SENT:
            return self._change_value(key, value, path, part)
        if key in _SENT_KEYS and (is_branch or key == "body"):
            return self._change_value(key, value, path, _Part.SENT)
        if key == "authorization" and is_branch:
            return self._change_value(key, value, path, _Part.AUTHORIZATION)
        if is_branch and (key in _READABLE_KEYS or key.endswith(_SCHEMA)):
            return value
        return self._change_value(key, value, path, part)

    def _change_value(self, key: str, value: JSON, path: Path, part: _Part) -> JSON:
        match value:
            case dict():
                return {name: self._change_entry(name, one, (*path, name), part) for name, one in value.items()}
            case list():
                return [self._change_value(key, one, (*path, str(at)), part) for at, one in enumerate(value)]
            case _ if self.is_secret(value):
                return self.change(LiteralSecret(path, value, frozenset()))
            case _ if texts := self._find_secrets(key, value, part):
                return self.change(LiteralSecret(path, value, texts))
            case _:
                return value

    def _find_secrets(self, key: str, value: JSON, part: _Part) -> frozenset[str]:
        if key.lower() in self.plain:
            return frozenset()
        match part:
            case _Part.SENT:
                is_sealed = not is_plain_name(key)
            case _Part.AUTHORIZATION:
                is_sealed = key not in _READABLE_OF_AUTHORIZATION
            case _:
                is_sealed = is_secret_name(key)
        if is_sealed:
            return find_value_secrets(value)
        if isinstance(value, str) and (_ADDRESS_KEY.search(key) or _ADDRESS.match(value)):
            return find_address_secrets(value, self.plain)
        return frozenset()
