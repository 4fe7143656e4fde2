"""What a token endpoint answers with, in the words of RFC 6749 whatever its own are and wherever it puts them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.engine.field_names import is_secret_name
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED, Path, lookup
from app.engine.record_errors import SourceError

_ACCESS: Final = ("access_token", "accessToken")
_ACCESS_AT_TOP: Final = (*_ACCESS, "token")
_REFRESH: Final = ("refresh_token", "refreshToken")
_EXPIRY: Final = ("expires_in", "expiresIn", "expires_at", "expiresAt", "expires_on", "expires", ".expires")
_LONGEST_LIFE_SECONDS: Final = 1e9
"""A larger number is a moment since 1970: a token that lives for thirty years is none."""
_MOST_SHOWN: Final = 10
_LONGEST_SHOWN: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlaces:
    """Where an answer has its parts, where it is not as the standard says."""

    token: Path | None = None
    """Of the object that holds the token; None finds it."""
    access: Path | None = None
    """Within that object, as the other two are."""
    refresh: Path | None = None
    expiry: Path | None = None
    """A number of seconds to live, or a moment."""


def read(answer: JsonObject, places: TokenPlaces) -> JsonObject:
    """Return an answer with its token, refresh token and expiry under their standard names.

    Raises SourceError when there is no token in it, with the names that are there and none of their values.
    """
    token = _find_token_object(answer, places)
    access = _find(token, places.access, _ACCESS_AT_TOP)
    if not isinstance(access, str) or not access:
        raise _explain_missing(answer, token, places)
    refresh = _find(token, places.refresh, _REFRESH)
    if refresh is UNDEFINED:
        refresh = _find(answer, None, _REFRESH)
    read_as: JsonObject = {"access_token": access, **_read_expiry(_find(token, places.expiry, _EXPIRY))}
    if isinstance(refresh, str) and refresh:
        read_as["refresh_token"] = refresh
    kept = {name: value for name, value in answer.items() if name not in ("expires_in", "expires_at")}
    for declared in (places.access, places.refresh):
        if declared is not None and not is_secret_name(declared[-1]):
            # Under that name it would be shown with the rest of the account's context.
            kept = _remove(kept, (*(places.token or ()), *declared))
    return {**kept, **read_as}


def _find_token_object(answer: JsonObject, places: TokenPlaces) -> JsonObject:
    if places.token is not None:
        found = lookup(answer, places.token)
        return found if isinstance(found, dict) else {}
    if places.access is not None or _is_text(_find(answer, None, _ACCESS_AT_TOP)):
        return answer
    nested = {
        name: one for name, one in answer.items() if isinstance(one, dict) and _is_text(_find(one, None, _ACCESS))
    }
    if len(nested) > 1:
        raise _make_error(f"several access tokens, at {_show_names(nested)}: name one by 'tokenResponse.path'")
    return next(iter(nested.values()), answer)


def _find(token: JsonObject, declared: Path | None, names: Sequence[str]) -> JSON:
    if declared is not None:
        return lookup(token, declared)
    return next((token[name] for name in names if token.get(name) is not None), UNDEFINED)


def _is_text(value: JSON) -> bool:
    return isinstance(value, str) and bool(value)


def _read_expiry(value: JSON) -> JsonObject:
    if value is UNDEFINED or value is None or isinstance(value, bool | dict | list):
        return {}
    try:
        number = float(value)
    except ValueError:
        return {"expires_at": value}
    return {"expires_in" if number < _LONGEST_LIFE_SECONDS else "expires_at": value}


def _remove(value: JSON, path: Path) -> JSON:
    """Copy a value without what is at a path; an array on the way is left out as a whole."""
    if isinstance(value, list):
        return []
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {name: one for name, one in value.items() if name != path[0]}
    return rest if len(path) == 1 else {**rest, path[0]: _remove(value[path[0]], path[1:])}


def _explain_missing(answer: JsonObject, token: JsonObject, places: TokenPlaces) -> SourceError:
    name = ".".join((*(places.token or ()), *(places.access or _ACCESS[:1])))
    if places.token is not None and not token:
        return _make_error(f"no object at '{'.'.join(places.token)}', expected '{name}'; found {_show_names(answer)}")
    return _make_error(f"no access token, expected '{name}'; found {_show_names(token)}")


def _show_names(value: Mapping[str, JSON]) -> str:
    """Show an object's names; who answers with a map from secrets shows none of them."""
    shown = [name for name in value if name.replace("_", "").isalpha() and len(name) <= _LONGEST_SHOWN]
    return ", ".join(f"'{name}'" for name in shown[:_MOST_SHOWN]) or "nothing with a name"


def _make_error(what: str) -> SourceError:
    return SourceError("token_endpoint", f"the token endpoint's answer holds {what}")
