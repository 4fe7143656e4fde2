"""Tenants' regular expressions, matched in time that is linear in the text.

Python's ``re`` backtracks, and holds the interpreter's lock while it does: ``^(a+)+$`` stops every thread of a process.
"""

import re
from functools import lru_cache
from typing import Final

import re2

from app.engine.errors import UncheckableError

LONGEST_PATTERN: Final = 1000

_MOST_STEPS: Final = 10_000_000
"""Instructions of a compiled pattern times characters of a text: some 0.3 seconds at most, without the lock."""

_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|c([A-Za-z])|.)", re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def find_pattern_fault(pattern: str) -> str | None:
    """Return why a pattern can not be matched in linear time; None when it can."""
    if len(pattern) > LONGEST_PATTERN:
        return f"is longer than {LONGEST_PATTERN} characters"
    compiled = _compile(pattern)
    return f"can not be matched in linear time: {compiled}" if isinstance(compiled, str) else None


def is_regex(pattern: str) -> bool:
    """Whether a text is a regular expression, of the linear kind or not."""
    if len(pattern) > LONGEST_PATTERN:
        return False
    if not isinstance(_compile(pattern), str):
        return True
    try:
        return re.compile(pattern) is not None
    except (re.error, OverflowError):
        return False


def is_match(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, as JSON Schema means it; raise UncheckableError."""
    if fault := find_pattern_fault(pattern):
        raise UncheckableError(f"the pattern '{pattern[:LONGEST_PATTERN]}' {fault}")
    compiled = _compile(pattern)
    assert not isinstance(compiled, str)
    longest = _MOST_STEPS // compiled.programsize
    if len(text) > longest:
        raise UncheckableError(
            f"a text of {len(text)} characters is too long for the pattern '{pattern}': expected at most {longest}"
        )
    return compiled.search(_SURROGATE.sub("\ufffd", text)) is not None


@lru_cache(maxsize=300)
def _compile(pattern: str) -> "re2._Regexp | str":
    """Compile a pattern of JSON Schema, or return why the engine can not."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1024 * 1024
    try:
        return re2.compile(_ESCAPE.sub(_translate_escape, pattern), options)
    except re2.error as error:
        return str(error.args[0], "utf-8", "replace")
    except UnicodeEncodeError:
        return "it is no Unicode text"


def _translate_escape(escape: re.Match[str]) -> str:
    """Write an escape of JavaScript's that the engine does not know as one that it does."""
    if escape[1]:
        return f"\\x{{{escape[1]}}}"
    return f"\\x{{{ord(escape[2].upper()) - 64:x}}}" if escape[2] else escape[0]
