"""Mask secrets in what is shown of accounts and integrations, and keep them when the masks come back."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.engine.json_types import JSON, JsonObject

MASK: Final = "********"

_SECRET_WORDS: Final = frozenset({"secret", "password", "passwd", "passphrase", "pwd"})
_SECRET_LAST_WORDS: Final = frozenset(
    {"token", "authorization", "cookie", "jwt", "apikey", "credential", "credentials"}
)
_SECRET_ENDINGS: Final = (
    "api_key",
    "access_key",
    "private_key",
    "signing_key",
    "encryption_key",
    "accesstoken",
    "authtoken",
    "privatekey",
)
# Under ``authorization`` of a config these hold what is sent, whatever their names look like.
_AUTHORIZATION_KEYS: Final = frozenset({"header_value", "value", "token", "username", "password"})
_PASSWORD_IN_URL: Final = re.compile(r"[a-z]+://[^/?#@\s]+:[^/?#@\s]+@", re.IGNORECASE)
_WORD_BORDER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def redacted(context: JsonObject) -> JsonObject:
    """Copy an account's context with every secret in it masked (the paths of wire.md A8 and more)."""
    return {key: _masked_entry(key, value) for key, value in context.items()}


def redacted_config(config: JsonObject) -> JsonObject:
    """Show an integration's config with its literal secrets masked; placeholders, which hold none, stay readable."""
    return with_secrets(config, lambda _text: MASK)


def with_secrets(
    config: JsonObject, change: Callable[[str], str], *, is_secret: Callable[[str], bool] = lambda _text: False
) -> JsonObject:
    """Copy an integration's config with every literal secret in it changed, and each text that ``is_secret`` claims."""
    walk = _Walk(change, is_secret)
    return {key: walk.setting(key, value, in_authorization=False) for key, value in config.items()}


def restored(sent: JSON, stored: JSON) -> JSON:
    """Put the stored value back wherever a mask was sent in its place."""
    match sent, stored:
        case dict(), dict():
            return {key: restored(value, stored.get(key)) for key, value in sent.items()}
        case list(), list():
            paired = [restored(one, other) for one, other in zip(sent, stored, strict=False)]
            return paired + sent[len(stored) :]
        case str(), _ if sent == MASK and stored is not None:
            return stored
        case _:
            return sent


def _masked_entry(key: str, value: JSON) -> JSON:
    if not is_secret_name(key):
        return _masked_inside(value)
    # ``oauth.token`` is an object that names its own secrets beside harmless facts such as its expiry.
    if isinstance(value, dict) and _words(key)[-1] == "token":
        return redacted(value)
    return _all_masked(value)


def _masked_inside(value: JSON) -> JSON:
    match value:
        case dict():
            return redacted(value)
        case list():
            return [_masked_inside(one) for one in value]
        case _:
            return value


def _all_masked(value: JSON) -> JSON:
    match value:
        case dict():
            return {key: _all_masked(one) for key, one in value.items()}
        case list():
            return [_all_masked(one) for one in value]
        case None | bool() | "":
            return value
        case _:
            return MASK


@dataclass(frozen=True, slots=True)
class _Walk:
    """Goes through a config and changes its secrets."""

    change: Callable[[str], str]
    is_secret: Callable[[str], bool]

    def setting(self, key: str, value: JSON, *, in_authorization: bool) -> JSON:
        inside = in_authorization or key == "authorization"
        match value:
            case dict():
                return {name: self.setting(name, one, in_authorization=inside) for name, one in value.items()}
            case list():
                return [self.setting(key, one, in_authorization=inside) for one in value]
            case str() if self.is_secret(value) or _is_secret_setting(key, value, in_authorization=in_authorization):
                return self.change(value)
            case _:
                return value


def _is_secret_setting(key: str, value: str, *, in_authorization: bool) -> bool:
    if not value or "{{" in value:
        return False
    is_named_so = is_secret_name(key) or (in_authorization and key in _AUTHORIZATION_KEYS)
    return is_named_so or _PASSWORD_IN_URL.match(value) is not None


@functools.lru_cache(maxsize=1024)
def is_secret_name(key: str) -> bool:
    """Claim that a field, header or parameter of such a name holds a secret."""
    words = _words(key)
    return (
        not _SECRET_WORDS.isdisjoint(words)
        or words[-1] in _SECRET_LAST_WORDS
        or "_".join(words).endswith(_SECRET_ENDINGS)
    )


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORD_BORDER.split(key) if word] or [""]
