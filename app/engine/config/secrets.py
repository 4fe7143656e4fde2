"""The literal secrets of an integration's config: what is sealed where it is stored, and masked where it is shown.

A literal value of a header, a parameter or a body is a secret unless its name is plain (``field_names``) or listed in
``non_secret``; so is what ``authorization`` holds, what is named like a secret anywhere, and an address with a user,
such a parameter, or a token in its path. A placeholder holds no secret, what stands beside it may. Expressions and
schemas stay readable.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from app.engine.config import non_secrets
from app.engine.config.literals import address_secrets, value_secrets
from app.engine.errors import Failure
from app.engine.field_names import is_plain_name, is_secret_name
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import Path, lookup
from app.engine.redaction import MASK

_SENT_KEYS: Final = frozenset(["headers", "query", "params", "body", "form", "cookies", "tokenParams", "tokenHeaders"])
"""What is below these is sent, name by name."""
_READABLE_KEYS: Final = frozenset({"examples", "tool_tags", "scopes", "scope", "fields", non_secrets.KEY})
_READABLE_OF_AUTHORIZATION: Final = frozenset(["format", "header_name", "name", "header", "expression"])
_ADDRESS_KEY: Final = re.compile(r"(?:url|uri|path|host|address|endpoint|href|link)\Z", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"\s*https?://", re.IGNORECASE)
_SCHEMA: Final = "_schema"


@dataclass(frozen=True, slots=True)
class LiteralSecret:
    """A value of a config that holds a secret."""

    path: Path
    value: JSON
    texts: frozenset[str]
    """What of it is secret; nothing is known of what is sealed."""


Change = Callable[[LiteralSecret], JSON]


def with_secrets(
    config: JsonObject, change: Change, *, is_secret: Callable[[JSON], bool] = lambda _value: False
) -> JsonObject:
    """Copy a config with every literal secret changed, and each value that ``is_secret`` claims."""
    return _Walk(change, is_secret, non_secrets.plain_names(config)).config(config)


def redacted_config(config: JsonObject) -> JsonObject:
    """Show a config with its literal secrets masked."""
    return with_secrets(config, lambda _secret: MASK)


def literal_secrets(config: JsonObject) -> list[LiteralSecret]:
    """List the literal secrets of a config."""
    found: list[LiteralSecret] = []

    def note(secret: LiteralSecret) -> JSON:
        found.append(secret)
        return secret.value

    with_secrets(config, note)
    return found


def revelations(before: JsonObject, after: JsonObject, sent: JSON, at: str) -> list[Failure]:
    """Return which secrets of a config a change would show, other than those that were sent with it."""
    still = {secret.path for secret in literal_secrets(after)}
    return [
        Failure(f"{at}.{'.'.join(secret.path)}", "is kept as a secret, and non_secret would show it: enter it anew")
        for secret in literal_secrets(before)
        if secret.path not in still
        and lookup(after, secret.path) == secret.value
        and lookup(sent, secret.path) != secret.value
    ]


def left_unreadable(unreadable: Collection[Path], before: JsonObject, after: JsonObject, at: str) -> list[Failure]:
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

    def config(self, config: JsonObject) -> JsonObject:
        return {
            key: self._resources(value) if key == "resources" else self._entry(key, value, (key,), _Part.SETTINGS)
            for key, value in config.items()
        }

    def _resources(self, resources: JSON) -> JSON:
        """Go through methods: the names of these and of resources are names of no setting."""
        if not isinstance(resources, dict):
            return resources
        return {
            name: {
                method: self._value(method, one, ("resources", name, method), _Part.SETTINGS)
                for method, one in methods.items()
            }
            if isinstance(methods, dict)
            else methods
            for name, methods in resources.items()
        }

    def _entry(self, key: str, value: JSON, path: Path, part: _Part) -> JSON:
        is_branch = isinstance(value, dict | list)
        if part is _Part.SENT:
            return self._value(key, value, path, part)
        if key in _SENT_KEYS and (is_branch or key == "body"):
            return self._value(key, value, path, _Part.SENT)
        if key == "authorization" and is_branch:
            return self._value(key, value, path, _Part.AUTHORIZATION)
        if is_branch and (key in _READABLE_KEYS or key.endswith(_SCHEMA)):
            return value
        return self._value(key, value, path, part)

    def _value(self, key: str, value: JSON, path: Path, part: _Part) -> JSON:
        match value:
            case dict():
                return {name: self._entry(name, one, (*path, name), part) for name, one in value.items()}
            case list():
                return [self._value(key, one, (*path, str(at)), part) for at, one in enumerate(value)]
            case _ if self.is_secret(value):
                return self.change(LiteralSecret(path, value, frozenset()))
            case _ if texts := self._secrets_of(key, value, part):
                return self.change(LiteralSecret(path, value, texts))
            case _:
                return value

    def _secrets_of(self, key: str, value: JSON, part: _Part) -> frozenset[str]:
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
            return value_secrets(value)
        if isinstance(value, str) and (_ADDRESS_KEY.search(key) or _ADDRESS.match(value)):
            return address_secrets(value, self.plain)
        return frozenset()
