"""What an answer declares about its list: a total, a number of pages, whether there is more, whether it ends."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.engine.config.paths import MarkedPath
from app.engine.config.reader import name_type
from app.engine.integrations.pagination import EndRules
from app.engine.json_types import JSON
from app.engine.json_values import is_true
from app.engine.jsonata.exact_integers import write_long_integers_as_texts
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError, SourceError

_MAY_READ_BODY: Final = re.compile(r"body|[*$]")
_NUMBER: Final = re.compile(r"\s*(\d{1,18})\s*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """What one answer declares; None where it does not."""

    has_more: bool | None = None
    total: int | None = None
    pages: int | None = None
    is_over: bool = False
    """``stop_when`` is true of it."""


_NO_FACTS: Final = PageFacts()


def read_facts(
    rules: EndRules, document: JSON, headers: Mapping[str, str], *, status: int, is_first: bool
) -> PageFacts:
    """Read an answer; raise SourceError ``pagination`` for a path that can not be right, or ``expression``."""
    if rules == _NO_RULES:
        return _NO_FACTS
    return PageFacts(
        has_more=_read_flag(rules.has_more_path, document, is_first=is_first),
        total=_read_number(rules.total_path, rules.total_header, document, headers, is_first=is_first),
        pages=_read_number(rules.total_pages_path, rules.total_pages_header, document, headers, is_first=is_first),
        is_over=is_over(rules, document, headers, status=status),
    )


def is_over(rules: EndRules, document: JSON, headers: Mapping[str, str], *, status: int) -> bool:
    """Whether ``stop_when`` is true of an answer; raise SourceError ``expression``."""
    if rules.stop_when is None:
        return False
    # Converting a page for an expression costs more than the expression itself.
    body = write_long_integers_as_texts(document) if _MAY_READ_BODY.search(rules.stop_when.text) else None
    scope = {"status": status, "headers": dict(headers), "body": body}
    try:
        return is_true(rules.stop_when.evaluate(scope))
    except ExpressionError as error:
        raise SourceError("expression", f"stop_when can not be evaluated: {error.message}") from error


def read_total(path: MarkedPath, document: JSON) -> int | None:
    """Return the number of records that a first answer has at a path; raise SourceError ``pagination``."""
    return _read_number(path, None, document, {}, is_first=True)


def _read_flag(path: MarkedPath | None, document: JSON, *, is_first: bool) -> bool | None:
    if path is None:
        return None
    value = _look_up("has_more_path", path, document, is_first=is_first)
    return None if value is UNDEFINED else is_true(value)


def _read_number(
    path: MarkedPath | None, header: str | None, document: JSON, headers: Mapping[str, str], *, is_first: bool
) -> int | None:
    value: JSON = UNDEFINED
    if path is not None:
        value = _look_up("total", path, document, is_first=is_first)
    if value is UNDEFINED and header is not None:
        value = headers.get(header, UNDEFINED)
    return None if value is UNDEFINED else _parse_number(value, f"'{path}'" if path else f"the header '{header}'")


def _parse_number(value: JSON, where: str) -> int | None:
    """Read a number; None where the upstream does not know it, which it writes as null or -1."""
    match value:
        case bool():
            pass
        case int() | float():
            return int(value) if value >= 0 else None
        case None:
            return None
        case str() if match := _NUMBER.fullmatch(value):
            return int(match[1])
        case str() if value.strip() in ("", "-1", "*"):
            return None
    raise SourceError("pagination", f"expected a number of records or pages at {where}, found {name_type(value)}")


def _look_up(key: str, path: MarkedPath, document: JSON, *, is_first: bool) -> JSON:
    """Look a path up; an answer may lack its last key, but where an object is missing the path is wrong."""
    value = path.find(document)
    missing = path.find_missing(document) if value is UNDEFINED and is_first and document is not None else None
    if missing is not None and missing < len(path.keys) - 1 and missing not in path.optional:
        raise SourceError("pagination", describe_missing_path(key, path, missing))
    return value


def describe_missing_path(key: str, path: MarkedPath, missing: int) -> str:
    """Return the message for a path that leads nowhere, with how to write an optional key."""
    optional = ".".join(f"{name}?" if at >= missing else name for at, name in enumerate(path.keys))
    return (
        f"there is nothing at {key} '{path}': the answer has no '{path.keys[missing]}'. Is the path right? "
        f"If the API leaves the key out on a last page, write '{optional}'"
    )


_NO_RULES: Final = EndRules()
