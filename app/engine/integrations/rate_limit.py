"""The ``rate_limit`` part of an integration's config (docs/wire.md A9): a known pace, where an API states its limit.

Expressions are JSONata over ``headers`` (names in lower case) and ``status``. The usual forms are read without it,
since every answer is judged: an expression that names a header (``headers.`x-reset```, or the bare name), and a
condition that compares ``status`` and headers, joined by ``and`` and ``or``.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Final

from app.engine.config.reader import ConfigReader, show_value
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import is_true
from app.engine.jsonata.expressions import Expression
from app.engine.limits import constants
from app.engine.limits import headers as rate_limit_headers
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError, PlaceholderError
from app.engine.templating.placeholders import Template

_HEADER: Final = r"""(?:headers\s*(?:\.\s*(?:`([^`]+)`|"([^"]+)"|([\w-]+))|\[\s*["']([^"']+)["']\s*\]))"""
_NAMED_HEADER = re.compile(rf"(?:\$number\(\s*)?{_HEADER}\s*\)?")
_BARE_HEADER = re.compile(r"[A-Za-z][\w-]*")
_STATUS_IS = re.compile(r"status\s*(=|!=|>=|<=|>|<)\s*([0-9]{3})")
_STATUS_IN = re.compile(r"status\s+in\s+\[([0-9,\s]+)\]")
_HEADER_IS = re.compile(rf"""(?:\$number\(\s*)?{_HEADER}\s*\)?\s*(=|!=)\s*(?:"([^"]*)"|'([^']*)'|([0-9]+))""")
_COMPARISONS: Final = {"=": eq, "!=": ne, ">=": ge, "<=": le, ">": gt, "<": lt}
_KEY_BYTES: Final = 16
_EXISTS = re.compile(rf"(?:\$exists\(\s*)?{_HEADER}\s*\)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One comparison: with the status when ``header`` is None; a ``value`` of None asks whether the header is there."""

    header: str | None = None
    operator: str = "="
    value: str | None = None
    statuses: frozenset[int] = frozenset()

    def holds(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether the comparison is true of an answer."""
        if self.header is None:
            return status in self.statuses
        found = headers.get(self.header)
        if self.value is None or found is None:
            return found is not None if self.value is None else self.operator == "!="
        return (found.strip() == self.value) is (self.operator == "=")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitConfig:
    """What is known of an API's rate limit before it answers."""

    requests: int | None = None
    per_seconds: float = 1.0
    limited_when: tuple[tuple[Term, ...], ...] = ()
    """Any of these, all of whose terms hold, beside the status 429, which always means it."""
    limited_if: Expression | None = None
    """The condition where it is of no usual form."""
    retry_after_header: str | Expression | None = None
    """Says in seconds how long to wait."""
    reset_header: str | Expression | None = None
    """Says when the limit is lifted."""
    scope: Template | None = None
    """Accounts for which it is the same text share one budget; None: each account has its own."""
    default_wait_seconds: float | None = None
    """The first wait where an answer names none; each further refusal doubles it."""

    @property
    def pace(self) -> float | None:
        """The requests that may be sent per second, if that is known."""
        return None if self.requests is None else self.requests / self.per_seconds

    def find_budget_key(self, account_id: str, environment_id: str, context: JsonObject) -> str:
        """Return the name of an account's budget; its own where the scope does not resolve.

        A scope may be a secret, such as a shared key: only its hash is ever seen.
        """
        if self.scope is None:
            return account_id
        try:
            text = self.scope.resolve({**context, "context": context})
        except PlaceholderError:
            return account_id
        if text is UNDEFINED or text in (None, ""):
            return account_id
        named = f"{environment_id}\n{text}".encode()
        return f"scope:{hashlib.blake2b(named, digest_size=_KEY_BYTES).hexdigest()}"

    def is_limited(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether an answer turns the request away for its rate."""
        if status == 429 or any(all(term.holds(status, headers) for term in terms) for terms in self.limited_when):
            return True
        found = None if self.limited_if is None else _evaluate(self.limited_if, status, headers)
        return isinstance(found, str | int | float) and is_true(found)

    def wait_seconds(self, headers: Mapping[str, str], clock: datetime, *, status: int = 429) -> float | None:
        """Return the longer of the waits in the configured headers."""
        sources = [source for source in (self.retry_after_header, self.reset_header) if source is not None]
        texts = [_find_text(source, status, headers) for source in sources]
        named = [seconds for text in texts if (seconds := rate_limit_headers.read_seconds(text, clock)) is not None]
        return min(max(named), constants.LONGEST_WAIT_SECONDS) if named else None


def read_rate_limit(reader: ConfigReader) -> RateLimitConfig:
    """Read the part; every fault is noted. Absent, it says nothing."""
    if reader.value is None or not reader.is_object():
        return RateLimitConfig()
    return RateLimitConfig(
        requests=reader.read_integer("requests", default=None, least=1),
        per_seconds=_read_seconds(reader, "per_seconds", least=0.001, most=86400) or 1.0,
        limited_when=_read_condition(reader, "is_rate_limited") or (),
        limited_if=_read_other_condition(reader, "is_rate_limited"),
        retry_after_header=_read_header(reader, "retry_after_header_expression"),
        reset_header=_read_header(reader, "rate_limit_header_expression"),
        scope=None if reader.value.get("scope") is None else reader.read_template("scope"),
        default_wait_seconds=_read_seconds(
            reader, "default_wait_seconds", least=0.1, most=int(constants.LONGEST_WAIT_SECONDS)
        ),
    )


def _read_seconds(reader: ConfigReader, name: str, *, least: float, most: int) -> float | None:
    value = reader.value.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        reader.report(name, f"expected a number of seconds up to {most}, found {show_value(value)}")
        return None
    return float(value)


def _find_text(source: str | Expression, status: int, headers: Mapping[str, str]) -> str | None:
    if isinstance(source, str):
        return headers.get(source)
    found = _evaluate(source, status, headers)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else None


def _evaluate(expression: Expression, status: int, headers: Mapping[str, str]) -> JSON:
    """Evaluate; an expression that fails on an answer says nothing of it."""
    try:
        return expression.evaluate({"headers": dict(headers), "status": status})
    except ExpressionError:
        return None


def _read_header(reader: ConfigReader, name: str) -> str | Expression | None:
    text = reader.read_optional_text(name)
    if not text:
        return None
    text = text.strip()
    if match := _NAMED_HEADER.fullmatch(text):
        return _name_header(match.groups())
    if _BARE_HEADER.fullmatch(text):
        return text.lower()
    return reader.read_expression(name)


def _read_other_condition(reader: ConfigReader, name: str) -> Expression | None:
    value = reader.value.get(name)
    return None if value is False or _read_condition(reader, name) is not None else reader.read_expression(name)


def _read_condition(reader: ConfigReader, name: str) -> tuple[tuple[Term, ...], ...] | None:
    """Read a condition of the usual form; None when it is of another."""
    value = reader.value.get(name)
    if value is None or value is False:
        return ()
    alternatives = (
        tuple(_parse_terms(part) for part in re.split(r"\s+or\s+", value)) if isinstance(value, str) else (None,)
    )
    terms = tuple(alternative for alternative in alternatives if alternative is not None)
    return None if len(terms) < len(alternatives) else terms


def _parse_terms(text: str) -> tuple[Term, ...] | None:
    found = [_parse_term(part.strip()) for part in re.split(r"\s+and\s+", text)]
    terms = tuple(term for term in found if term is not None)
    return terms if len(terms) == len(found) else None


def _parse_term(text: str) -> Term | None:
    if match := _STATUS_IS.fullmatch(text):
        is_meant, status = _COMPARISONS[match[1]], int(match[2])
        return Term(statuses=frozenset(code for code in range(100, 600) if is_meant(code, status)))
    if match := _STATUS_IN.fullmatch(text):
        return Term(statuses=frozenset(int(part) for part in match[1].split(",") if part.strip()))
    if match := _HEADER_IS.fullmatch(text):
        *names, operator, double, single, number = match.groups()
        value = next(value for value in (double, single, number) if value is not None)
        return Term(header=_name_header(tuple(names)), operator=operator, value=value)
    if match := _EXISTS.fullmatch(text):
        return Term(header=_name_header(match.groups()))
    return None


def _name_header(groups: tuple[JSON, ...]) -> str:
    return str(next(group for group in groups if group)).strip().lower()
