"""Seal the literal secrets within an integration's config, such as a client secret; the rest stays readable JSON."""

import base64
from collections.abc import Iterator

from app.engine import redaction
from app.engine.json_types import JSON, JsonObject
from app.store.encryption import Cipher, key_id_of

_MARK = "ferryman-sealed:"


def sealed(config: JsonObject, cipher: Cipher) -> JsonObject:
    """Copy a config with every secret text sealed."""

    def seal(text: str) -> str:
        return _MARK + base64.urlsafe_b64encode(cipher.seal(text)).decode()

    return redaction.with_secrets(config, seal, is_secret=lambda text: text.startswith(_MARK))


def opened(config: JsonObject, cipher: Cipher) -> JsonObject:
    """Copy a config with every sealed text opened."""
    found: JsonObject = _opened(config, cipher)
    return found


def key_ids(config: JSON) -> Iterator[str]:
    """Name the keys that sealed something within a config; an empty one is the master key."""
    match config:
        case str() if config.startswith(_MARK):
            yield key_id_of(_token(config))
        case dict():
            for value in config.values():
                yield from key_ids(value)
        case list():
            for value in config:
                yield from key_ids(value)


def _opened(value: JSON, cipher: Cipher) -> JSON:
    match value:
        case str() if value.startswith(_MARK):
            return cipher.open(_token(value))
        case dict():
            return {key: _opened(one, cipher) for key, one in value.items()}
        case list():
            return [_opened(one, cipher) for one in value]
        case _:
            return value


def _token(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.removeprefix(_MARK))
