"""JSONata, the language of mappings and conditions: a text is compiled once and evaluated within limits.

The expressions are the tenants' own, so every evaluation is limited in time, steps, depth and sizes. The first attempt
is short and runs where it is called. What needs more time, steps or room is evaluated again by a thread of its own: no
chain of values within the limits can exhaust its stack when it is freed, and the process's other threads run meanwhile.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Final, TypedDict, TypeVar

import jlens
import orjson

from app.engine.errors import ExpressionSyntaxError
from app.engine.json_types import JSON
from app.engine.json_values import make_storable, make_text_storable
from app.engine.jsonata.functions.bounds import FUNCTIONS, PRELUDES, begin_evaluation, end_evaluation
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError

T = TypeVar("T")


def cache_up_to(most_characters: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Keep results for so many characters of text, those that were used last; safe to use from several threads."""

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        kept: OrderedDict[str, T] = OrderedDict()
        lock = threading.Lock()
        characters = 0

        @wraps(function)
        def cached(text: str) -> T:
            nonlocal characters
            with lock:
                if text in kept:
                    kept.move_to_end(text)
                    return kept[text]
            made = function(text)
            with lock:
                characters += 0 if text in kept else len(text)
                kept[text] = made
                while characters > most_characters:
                    characters -= len(kept.popitem(last=False)[0])
            return made

        return cached

    return decorate


MAX_LENGTH: Final = 100_000
_KEPT_CHARACTERS: Final = 500_000
"""Of all compiled expressions: each takes some 400 bytes for a character at most."""
_ENOUGH_STACK_BYTES: Final = 256 * 1024 * 1024
# The size of new threads' stacks is the process's: it is restored by the thread that changed it first.
_STACK_SIZE: Final = threading.Lock()
_VARIABLE: Final = re.compile(r"\$([A-Za-z_]\w*)")
# What U+0000 can come from, since no input holds it: others are spared a look through their results.
_ZERO: Final = re.compile(
    r"\\u0000|\0|\$(?:base64decode|decodeUrl|decodeUrlComponent|eval|jsonParse|parseQuery|parseUrl)\b"
)
_TIMEOUT: Final = "D1012"
_MORE_WOULD_HELP: Final = frozenset({_TIMEOUT, "U1001", "U1006"})


class _Sizes(TypedDict):
    max_depth: int
    max_string_length: int
    max_array_length: int
    max_result_size: int


class _Options(_Sizes):
    timeout: float
    max_steps: int


# The depth is the deepest in the official suite.
_SIZES: Final[_Sizes] = {
    "max_depth": 302,
    "max_string_length": 10_000_000,
    "max_array_length": 200_000,
    "max_result_size": 10_000_000,
}
# 100,000 steps can not build a chain of values that overflows a stack of 8 MB when it is freed.
# The engine looks at the clock every few dozen steps, each of which may make something of the largest size.
_SHORT: Final[_Options] = {
    "timeout": 0.2,
    "max_steps": 100_000,
    "max_depth": 302,
    "max_string_length": 1_000_000,
    "max_array_length": 50_000,
    "max_result_size": 2_000_000,
}
_LONG: Final[_Options] = {"timeout": 1.0, "max_steps": 1_000_000, **_SIZES}


@cache_up_to(_KEPT_CHARACTERS)
def parse(text: str) -> "Expression":
    """Compile an expression; raise ExpressionSyntaxError with the position of the fault.

    Compiled ones are kept: each slice of work reads its mappings anew.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionSyntaxError(f"an expression has at most {MAX_LENGTH} characters", MAX_LENGTH)
    return Expression(text)


class Expression:
    """A compiled expression; any number of threads may evaluate it at once."""

    __slots__ = ("_calls_ours", "_compiled", "_may_make_zeros", "_offset", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._may_make_zeros = _ZERO.search(text) is not None
        self._compiled, self._offset, self._calls_ours = _compile(text)

    def evaluate(self, data: JSON, bindings: Mapping[str, JSON] | None = None) -> JSON:
        """Evaluate against ``data`` (UNDEFINED is no input) with ``bindings`` as ``$name``; UNDEFINED is no result.

        The result is storable. Raises ExpressionError, at the latest some 1.2 seconds after the call.
        """
        given = dict(bindings) if bindings else None
        if self._calls_ours:
            begin_evaluation(seconds=_LONG["timeout"])
        try:
            found = _evaluate(self._compiled, data, given)
            return make_storable(found) if self._may_make_zeros else found
        except jlens.JlensError as error:
            position = None if error.position is None else max(0, error.position - self._offset)
            raise ExpressionError(
                make_text_storable(f"{error} ({error.code})"), reason=error.code, position=position
            ) from error
        except TimeoutError as error:
            raise ExpressionError(str(error), reason=_TIMEOUT) from error
        except Exception as error:  # whatever a function of ours or of the engine does with a tenant's values
            raise ExpressionError(make_text_storable(str(error)) or type(error).__name__) from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            raise ExpressionError(f"the engine gave up: {error}") from error
        finally:
            if self._calls_ours:
                end_evaluation()


def _compile(text: str) -> tuple[jlens.Expression, int, bool]:
    """Compile a text with what it calls; return also the characters before it, and whether it calls our functions."""
    names = _find_called_names(text)
    try:
        compiled, offset = jlens.Expression(text), 0
        if preludes := [PRELUDES[name] for name in sorted(names & PRELUDES.keys())]:
            before = f"( {' '.join(preludes)} "
            compiled, offset = jlens.Expression(f"{before}{text}\n)"), len(before)
            names |= frozenset(_VARIABLE.findall(before))
        for name in names & FUNCTIONS.keys():
            compiled.register_function(name, FUNCTIONS[name])
    except (jlens.JlensError, UnicodeError) as error:
        raise ExpressionSyntaxError(str(error), getattr(error, "position", None)) from error
    return compiled, offset, not names.isdisjoint(FUNCTIONS)


def _find_called_names(text: str) -> frozenset[str]:
    """Name what a text may call: each registered function costs time at every evaluation."""
    names = frozenset(_VARIABLE.findall(text))
    return names | FUNCTIONS.keys() | PRELUDES.keys() if "eval" in names else names


def _evaluate(compiled: jlens.Expression, data: JSON, bindings: dict[str, JSON] | None) -> JSON:
    try:
        if data is not None:
            result = compiled.evaluate(None if data is UNDEFINED else data, bindings, **_SHORT)
            if result is not None:
                return result
        return _evaluate_exactly(compiled, data, bindings, _SHORT)
    except jlens.JlensError as error:
        if error.code not in _MORE_WOULD_HELP:
            raise
    return _run_with_enough_stack(lambda: _evaluate_long(compiled, data, bindings))


def _evaluate_long(compiled: jlens.Expression, data: JSON, bindings: dict[str, JSON] | None) -> JSON:
    begin_evaluation(seconds=_LONG["timeout"])
    try:
        return _evaluate_exactly(compiled, data, bindings, _LONG)
    finally:
        end_evaluation()


def _evaluate_exactly(
    compiled: jlens.Expression, data: JSON, bindings: dict[str, JSON] | None, limits: _Options
) -> JSON:
    """Evaluate by way of JSON text: slower, but it distinguishes nothing from null, and other threads run meanwhile."""
    text = None if data is UNDEFINED else orjson.dumps(data).decode()
    result = compiled.evaluate_json(text, bindings, **limits)
    return UNDEFINED if result is None else orjson.loads(result)


def _run_with_enough_stack(evaluation: Callable[[], JSON]) -> JSON:
    outcome: list[Callable[[], JSON]] = []
    thread = threading.Thread(target=lambda: outcome.append(_catch(evaluation)), name="expression")
    with _STACK_SIZE:
        before = threading.stack_size(_ENOUGH_STACK_BYTES)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    thread.join()
    return outcome[0]()


def _catch(evaluation: Callable[[], JSON]) -> Callable[[], JSON]:
    """Return a function that returns, or raises, what the evaluation does."""
    try:
        result = evaluation()
    except BaseException as error:
        raised = error

        def again() -> JSON:
            raise raised

        return again
    return lambda: result
