"""Read numbers that people write, in ASCII digits: Python's own readers take ``٣`` for 3 and ``1_0`` for 10."""


def read_whole(text: str) -> int:
    """Return the whole number that a text is; raise ValueError for any other."""
    return int(_require_plain(text))


def read_decimal(text: str) -> float:
    """Return the number that a text is, which may be infinite or none; raise ValueError for any other."""
    return float(_require_plain(text))


def is_count(text: str) -> bool:
    """Whether a text consists of digits."""
    return text.isascii() and text.isdecimal()


def is_plain(text: str) -> bool:
    """Whether a text has no digit of another script, and nothing between its digits."""
    return text.isascii() and "_" not in text


def _require_plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("expected ASCII digits")
    return text
