"""Mask an account's context wherever it is shown, and restore the values of masks that are sent back.

Whatever is not declared to be no secret is masked: a name says too little about a value.
"""

from collections.abc import Iterator
from typing import Final

from app.engine.field_names import is_secret_name
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import walk
from app.engine.paths import UNDEFINED, Path, lookup

MASK: Final = "********"

_FACTS: Final = ("expires_at", "expires_in", "renewed_at", "token_type", "scope")
"""What Ferryman keeps about a token."""
_OWN_PATHS: Final[frozenset[Path]] = frozenset(
    {*((name,) for name in _FACTS), *(("oauth", "token", name) for name in _FACTS), ("oauth", "scope")}
)


def redact(context: JsonObject, plain: frozenset[Path] = frozenset()) -> JsonObject:
    """Copy a context with all of it masked but its shape, what is at ``plain`` paths, and facts about its token."""
    return {key: _redact_value(value, (key,), plain | _OWN_PATHS) for key, value in context.items()}


def remove_plain(context: JsonObject, plain: frozenset[Path]) -> JsonObject:
    """Copy a context without what is at the ``plain`` paths."""
    return {key: _remove_plain(value, (key,), plain) for key, value in context.items() if (key,) not in plain}


def list_credentials(context: JSON, names: frozenset[str]) -> list[JSON]:
    """List what of a context is a credential: at the given names at its top, or named like one anywhere."""
    top: JsonObject = context if isinstance(context, dict) else {}
    return [value for name, value in top.items() if name in names] + list(_list_named_secrets(context))


def choose_shown_paths(declared: frozenset[Path], entered: frozenset[Path] | None) -> frozenset[Path]:
    """Return which paths of an account's context are shown: what is declared now, and was when it was entered.

    So nobody reads a secret by declaring it to be none. ``entered`` is None where that was not kept yet: then a name
    that is a secret's keeps its value masked.
    """
    if entered is None:
        return frozenset(path for path in declared if not _is_secret_path(path))
    return declared & entered


def choose_entered_paths(
    declared: frozenset[Path], entered: frozenset[Path] | None, sent: JsonObject
) -> frozenset[Path]:
    """Return what of a context was entered as no secret, once ``sent`` is merged into it; a mask enters nothing."""
    known = choose_shown_paths(declared, None) if entered is None else entered

    def is_plain(path: Path) -> bool:
        value = lookup(sent, path)
        return path in (known if value is UNDEFINED or holds_mask(value) else declared)

    return frozenset(filter(is_plain, declared | known))


def restore_masked(sent: JSON, stored: JSON) -> JSON:
    """Put the stored value back wherever a mask was sent in its place."""
    match sent, stored:
        case dict(), dict():
            return {key: restore_masked(value, stored.get(key)) for key, value in sent.items()}
        case list(), list():
            paired = [restore_masked(one, other) for one, other in zip(sent, stored, strict=False)]
            return paired + sent[len(stored) :]
        case str(), _ if sent == MASK and stored is not None:
            return stored
        case _:
            return sent


def _is_secret_path(path: Path) -> bool:
    """Whether a name on a path is a secret's; ``oauth.token`` is an object that holds more than secrets."""
    *above, name = path
    return is_secret_name(name) or any(is_secret_name(one) for one in above if one != "token")


def _redact_value(value: JSON, path: Path, plain: frozenset[Path]) -> JSON:
    if path in plain:
        return value
    match value:
        case dict():
            return {key: _redact_value(one, (*path, key), plain) for key, one in value.items()}
        case list():
            return [_redact_value(one, path, plain) for one in value]
        case None | bool() | "":
            return value
        case _:
            return MASK


def _remove_plain(value: JSON, path: Path, plain: frozenset[Path]) -> JSON:
    match value:
        case dict():
            below = ((key, one, (*path, key)) for key, one in value.items())
            return {key: _remove_plain(one, at, plain) for key, one, at in below if at not in plain}
        case _:
            return value


def _list_named_secrets(value: JSON) -> Iterator[JSON]:
    match value:
        case dict():
            for name, one in value.items():
                if is_secret_name(name):
                    yield one
                else:
                    yield from _list_named_secrets(one)
        case list():
            for one in value:
                yield from _list_named_secrets(one)
        case _:
            return


def holds_mask(value: JSON) -> bool:
    """Whether a value contains a mask."""
    return any(one == MASK for one in walk(value))
