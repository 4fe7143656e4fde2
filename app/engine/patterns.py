"""Tenants' regular expressions, matched in time that is linear in the text.

Python's ``re`` backtracks, and holds the interpreter's lock while it does: ``^(a+)+$`` stops every thread of a process.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from jsonschema_rs import RegexOptions, validator_for

from app.engine.errors import UncheckableError

LONGEST_PATTERN: Final = 1000

_LIMITS: Final = ((64 * 1024, 20_000), (1024 * 1024, 1000))
"""``(bytes of a compiled pattern, characters of a text)``: time is the product of both, at most some 0.3 seconds."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    is_found_in: Callable[[str], bool]
    longest_text: int


def pattern_fault(pattern: str) -> str | None:
    """Say what keeps a pattern from being matched in linear time, if anything does."""
    if len(pattern) > LONGEST_PATTERN:
        return f"is longer than {LONGEST_PATTERN} characters"
    if _compiled(pattern) is None:
        return "needs lookaround, a back-reference or too many repetitions, for which no linear time can be promised"
    return None


def is_regex(pattern: str) -> bool:
    """Whether a text is a regular expression, of the linear kind or not."""
    if len(pattern) > LONGEST_PATTERN:
        return False
    if _compiled(pattern) is not None:
        return True
    try:
        return re.compile(pattern) is not None
    except (re.error, OverflowError):
        return False


def is_match(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, as JSON Schema means it; raise UncheckableError."""
    if fault := pattern_fault(pattern):
        raise UncheckableError(f"the pattern '{pattern[:LONGEST_PATTERN]}' {fault}")
    compiled = _compiled(pattern)
    assert compiled is not None
    if len(text) > compiled.longest_text:
        raise UncheckableError(
            f"a text of {len(text)} characters is too long for the pattern '{pattern}': "
            f"expected at most {compiled.longest_text}"
        )
    return compiled.is_found_in(_SURROGATE.sub("\ufffd", text))


@lru_cache(maxsize=2000)
def _compiled(pattern: str) -> _Compiled | None:
    for most_bytes, longest_text in _LIMITS:
        try:
            # The default engine backtracks.
            linear = validator_for({"pattern": pattern}, pattern_options=RegexOptions(size_limit=most_bytes))
        except ValueError:  # Its errors are ones, and so is the one of a text that is not Unicode.
            continue
        return _Compiled(is_found_in=linear.is_valid, longest_text=longest_text)
    return None
