"""Seal the literal secrets within an integration's config, such as a client secret; the rest stays readable JSON."""

import base64
from collections.abc import Callable, Iterator
from itertools import zip_longest

from app.engine.config import secrets
from app.engine.config.secrets import LiteralSecret
from app.engine.errors import UnreadableSecretError
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import Path
from app.store.secrets.bound_values import Place
from app.store.secrets.encryption import Cipher, key_id_of

_MARK = "ferryman-sealed:"


def seal_secrets(config: JsonObject, cipher: Cipher, place: Place, *, stored: JSON = None) -> JsonObject:
    """Copy a config with every secret value sealed for the place of the config.

    What is ``stored`` there of the same secrets stays as it is sealed: who compares the two sees which have changed.
    """

    def seal(secret: LiteralSecret) -> JSON:
        return _MARK + base64.urlsafe_b64encode(cipher.seal(secret.value, place)).decode()

    sealed: JsonObject = secrets.change_secrets(config, seal, is_secret=_is_sealed)
    kept: JsonObject = _keep(sealed, stored, lambda token: cipher.open(token, place))
    return kept


def _keep(new: JSON, old: JSON, open_token: Callable[[bytes], JSON]) -> JSON:
    match new, old:
        case dict(), dict():
            return {key: _keep(value, old.get(key), open_token) for key, value in new.items()}
        case list(), list():
            return [_keep(value, before, open_token) for value, before in zip_longest(new, old[: len(new)])]
        case str(), str() if _is_sealed(new) and _is_sealed(old):
            return old if _is_same(_token(new), _token(old), open_token) else new
        case _:
            return new


def _is_same(new: bytes, old: bytes, open_token: Callable[[bytes], JSON]) -> bool:
    """Whether the same key has sealed the same value twice; another key's work is not kept."""
    try:
        return key_id_of(new) == key_id_of(old) and open_token(new) == open_token(old)
    except UnreadableSecretError:
        return False


def leaves_clear(config: JsonObject) -> bool:
    """Whether a stored config holds a secret in clear: one that was none when it was stored."""
    return any(not _is_sealed(secret.value) for secret in secrets.list_literal_secrets(config))


def open_secrets(config: JsonObject, cipher: Cipher, place: Place) -> JsonObject:
    """Copy a config with every sealed text opened; raise UnreadableSecretError for one of another place."""
    found: JsonObject = _open(config, lambda token: cipher.open(token, place))
    return found


def show_secrets(config: JsonObject, cipher: Cipher, place: Place) -> JsonObject:
    """Copy a config for its owner: a text that does not open stays sealed, and is masked as every secret."""

    def show(token: bytes) -> JSON:
        try:
            return cipher.open(token, place)
        except UnreadableSecretError:
            return _MARK + base64.urlsafe_b64encode(token).decode()

    found: JsonObject = _open(config, show)
    return found


def find_sealed(config: JSON, at: Path = ()) -> Iterator[Path]:
    """Find what is still sealed in a config that was opened as far as it can be."""
    match config:
        case str() if config.startswith(_MARK):
            yield at
        case dict():
            for key, value in config.items():
                yield from find_sealed(value, (*at, key))
        case list():
            for position, value in enumerate(config):
                yield from find_sealed(value, (*at, str(position)))


def tokens(config: JSON) -> Iterator[bytes]:
    """List all that is sealed within a config, as it is."""
    match config:
        case str() if config.startswith(_MARK):
            yield _token(config)
        case dict():
            for value in config.values():
                yield from tokens(value)
        case list():
            for value in config:
                yield from tokens(value)


def _open(value: JSON, open_token: Callable[[bytes], JSON]) -> JSON:
    match value:
        case str() if value.startswith(_MARK):
            return open_token(_token(value))
        case dict():
            return {key: _open(one, open_token) for key, one in value.items()}
        case list():
            return [_open(one, open_token) for one in value]
        case _:
            return value


def _is_sealed(value: JSON) -> bool:
    return isinstance(value, str) and value.startswith(_MARK)


def _token(text: str) -> bytes:
    """Return what is sealed; of a text that was spoiled in the database, something that does not open."""
    try:
        return base64.urlsafe_b64decode(text.removeprefix(_MARK))
    except ValueError:
        return text.encode()
