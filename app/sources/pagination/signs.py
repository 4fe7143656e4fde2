"""What an answer says of its list: a total, a number of pages, whether there is more, whether this is the end."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.engine.config.paths import MarkedPath
from app.engine.config.reader import name_type
from app.engine.integrations.pagination import EndSigns
from app.engine.json_types import JSON
from app.engine.json_values import is_true
from app.engine.jsonata.exact_integers import write_long_integers_as_texts
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError, SourceError

_MAY_READ_BODY: Final = re.compile(r"body|[*$]")
_NUMBER: Final = re.compile(r"\s*(\d{1,18})\s*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one answer says; None is no word."""

    has_more: bool | None = None
    total: int | None = None
    pages: int | None = None
    is_over: bool = False
    """``stop_when`` is true of it."""


_NOTHING: Final = Said()


def read(signs: EndSigns, document: JSON, headers: Mapping[str, str], *, status: int, is_first: bool) -> Said:
    """Read an answer; raise SourceError ``pagination`` for a path that can not be right, and ``expression``."""
    if signs == _NO_SIGNS:
        return _NOTHING
    return Said(
        has_more=_flag(signs.has_more_path, document, is_first=is_first),
        total=_number(signs.total_path, signs.total_header, document, headers, is_first=is_first),
        pages=_number(signs.total_pages_path, signs.total_pages_header, document, headers, is_first=is_first),
        is_over=is_over(signs, document, headers, status=status),
    )


def is_over(signs: EndSigns, document: JSON, headers: Mapping[str, str], *, status: int) -> bool:
    """Whether ``stop_when`` is true of an answer; raise SourceError ``expression``."""
    if signs.stop_when is None:
        return False
    # To hand a page over to an expression costs more than to ask it.
    body = write_long_integers_as_texts(document) if _MAY_READ_BODY.search(signs.stop_when.text) else None
    scope = {"status": status, "headers": dict(headers), "body": body}
    try:
        return is_true(signs.stop_when.evaluate(scope))
    except ExpressionError as error:
        raise SourceError("expression", f"stop_when can not be evaluated: {error.message}") from error


def _flag(path: MarkedPath | None, document: JSON, *, is_first: bool) -> bool | None:
    if path is None:
        return None
    value = _found("has_more_path", path, document, is_first=is_first)
    return None if value is UNDEFINED else is_true(value)


def _number(
    path: MarkedPath | None, header: str | None, document: JSON, headers: Mapping[str, str], *, is_first: bool
) -> int | None:
    told: JSON = UNDEFINED
    if path is not None:
        told = _found("total", path, document, is_first=is_first)
    if told is UNDEFINED and header is not None:
        told = headers.get(header, UNDEFINED)
    return None if told is UNDEFINED else _whole(told, f"'{path}'" if path else f"the header '{header}'")


def _whole(told: JSON, where: str) -> int | None:
    """Read a number; none where the upstream does not know it, which it writes as null or -1."""
    match told:
        case bool():
            pass
        case int() | float():
            return int(told) if told >= 0 else None
        case None:
            return None
        case str() if match := _NUMBER.fullmatch(told):
            return int(match[1])
        case str() if told.strip() in ("", "-1", "*"):
            return None
    raise SourceError("pagination", f"expected a number of records or pages at {where}, found {name_type(told)}")


def _found(key: str, path: MarkedPath, document: JSON, *, is_first: bool) -> JSON:
    """Look a path up; an answer without it says nothing, but where its object is missing the path is wrong."""
    value = path.find(document)
    missing = path.find_missing(document) if value is UNDEFINED and is_first and document is not None else None
    if missing is not None and missing < len(path.keys) - 1 and missing not in path.optional:
        raise SourceError("pagination", lost(key, path, missing))
    return value


def lost(key: str, path: MarkedPath, missing: int) -> str:
    """Say that a path leads nowhere, and what to write should the upstream leave its key out at times."""
    optional = ".".join(f"{name}?" if at >= missing else name for at, name in enumerate(path.keys))
    return (
        f"there is nothing at {key} '{path}': the answer has no '{path.keys[missing]}'. Is the path right? "
        f"If the API leaves the key out on a last page, write '{optional}'"
    )


_NO_SIGNS: Final = EndSigns()
