"""Keep long integers whole in JSONata, which knows doubles only: beyond 2^53 they become texts of their digits.

Ids of that length are common, and one that loses its last digits is another record's. To write a page as JSON and to
look for sixteen digits in a row costs 1 ms per MB; only a page that holds some is walked through.
"""

from typing import Final

import orjson

from app.engine.json_types import JSON

_LARGEST: Final = 2**53
_DIGITS_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_SIXTEEN_DIGITS: Final = b"0" * 16


def are_ruled_out(body: bytes) -> bool:
    """Claim that an answer holds no long integers: much cheaper than to look through what was made of it.

    A body with zero bytes is in an encoding whose digits do not stand in a row.
    """
    return b"\0" not in body and _SIXTEEN_DIGITS not in body.translate(_DIGITS_AS_ZEROS)


def with_long_integers_as_texts(records: list[JSON]) -> list[JSON]:
    """Give the same records, or copies in which integers that a double can not hold are texts."""
    try:
        is_clear = _SIXTEEN_DIGITS not in orjson.dumps(records).translate(_DIGITS_AS_ZEROS)
    except TypeError:  # an integer beyond 64 bits
        is_clear = False
    return records if is_clear else [_exact(record) for record in records]


def _exact(value: JSON) -> JSON:
    match value:
        case dict():
            return {name: _exact(one) for name, one in value.items()}
        case list():
            return [_exact(one) for one in value]
        case int() if not -_LARGEST <= value <= _LARGEST:
            return str(value)
        case _:
            return value
