"""Functions that compare texts, read numbers, name files and money."""

import mimetypes
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from app.engine.json_types import JSON
from app.engine.jsonata.functions.collections import make_list

# Currencies whose smallest unit is not a hundredth.
_DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_LONGEST_COMPARED: Final = 10_000


def compute_dice_coefficient(one: JSON = None, other: JSON = None) -> JSON:
    """Return how alike two texts are, from 0 to 1, by the pairs of letters that they share."""
    if one is None or other is None:
        return None
    left, right = _count_pairs(str(one)), _count_pairs(str(other))
    total = left.total() + right.total()
    if not total:
        return 1 if str(one) == str(other) else 0
    return 2 * (left & right).total() / total


def find_most_similar(text: JSON = None, candidates: JSON = None, threshold: JSON = 0) -> JSON:
    """Return the candidate that is most like a text, if it is at least so much like it."""
    if text is None:
        return None
    scored = [(compute_dice_coefficient(text, candidate) or 0, candidate) for candidate in make_list(candidates)]
    best = max(scored, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] >= (threshold or 0) else None


def read_number(value: JSON = None) -> JSON:
    """Read the number in a text with signs, spaces or thousands separators; nothing where there is none."""
    if isinstance(value, bool | int | float):
        return int(value) if isinstance(value, bool) else value
    try:
        number = Decimal(str(value).strip().replace(",", "").replace(" ", "").lstrip("$€£¥"))
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > 300:
        return None
    return int(number) if number == number.to_integral_value() else float(number)


def convert_from_subunit(amount: JSON = None, currency: JSON = "USD") -> JSON:
    """Turn an amount in cents, or whatever the currency's smallest unit is, into one in the currency."""
    number = read_number(amount)
    return None if number is None else float(Decimal(str(number)).scaleb(-_find_decimals(currency)))


def convert_to_subunit(amount: JSON = None, currency: JSON = "USD") -> JSON:
    """Turn an amount into one in the currency's smallest unit."""
    number = read_number(amount)
    return None if number is None else int(Decimal(str(number)).scaleb(_find_decimals(currency)).to_integral_value())


def make_uuid() -> JSON:
    """Make a random UUID."""
    return str(uuid.uuid4())


def guess_mime_type(name: JSON = None) -> JSON:
    """Return the MIME type of a file by its name."""
    return None if name is None else mimetypes.guess_type(str(name).rpartition("/")[2])[0]


def _count_pairs(text: str) -> Counter[str]:
    squeezed = "".join(text[:_LONGEST_COMPARED].lower().split())
    return Counter(squeezed[start : start + 2] for start in range(len(squeezed) - 1))


def _find_decimals(currency: JSON) -> int:
    return _DECIMALS.get(str(currency).upper(), 2)


FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {
    "diceCoefficient": compute_dice_coefficient,
    "mostSimilar": find_most_similar,
    "toNumber": read_number,
    "convertCurrencyFromSubunit": convert_from_subunit,
    "convertCurrencyToSubunit": convert_to_subunit,
    "uuid": make_uuid,
    "getMimeType": guess_mime_type,
}
