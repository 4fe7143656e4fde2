"""Keep long integers whole in JSONata, which knows doubles only: beyond 2^53 they become texts of their digits.

Ids of that length are common, and one that loses its last digits is another record's. To write a page as JSON and to
look for sixteen digits in a row costs 1 ms per MB; only a page that holds some is walked through.
"""

from typing import Any, Final, TypeVar

import orjson

T = TypeVar("T")

_LARGEST: Final = 2**53
_DIGITS_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_SIXTEEN_DIGITS: Final = b"0" * 16


def has_no_long_integers(body: bytes) -> bool:
    """Whether an answer holds no long integers: much cheaper than a look through the parsed value.

    A body with zero bytes is in an encoding whose digits do not stand in a row.
    """
    return b"\0" not in body and _SIXTEEN_DIGITS not in body.translate(_DIGITS_AS_ZEROS)


def write_long_integers_as_texts(seen: T) -> T:
    """Return an expression's input, or a copy of it in which integers that a double can not hold are texts."""
    try:
        is_clear = _SIXTEEN_DIGITS not in orjson.dumps(seen).translate(_DIGITS_AS_ZEROS)
    except TypeError:  # an integer beyond 64 bits
        is_clear = False
    return seen if is_clear else _write_exact(seen)


def _write_exact(value: Any) -> Any:
    match value:
        case dict():
            return {name: _write_exact(one) for name, one in value.items()}
        case list():
            return [_write_exact(one) for one in value]
        case int() if not -_LARGEST <= value <= _LARGEST:
            return str(value)
        case _:
            return value
