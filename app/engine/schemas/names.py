"""Names of columns, views and their schemas: keys as SQL takes them without quotes, each one once."""

import hashlib
import re
import unicodedata
from collections.abc import Collection
from typing import Final

from app.engine.schemas.columns import SYSTEM_COLUMNS

LONGEST_NAME: Final = 63
"""Bytes; Postgres cuts a longer one silently."""
_HASH_DIGITS: Final = 8
_ODD: Final = re.compile(r"[^a-z0-9_]")

# What needs quotes as a column's name in Postgres or DuckDB, and the columns that each table of Postgres has.
_RESERVED_WORDS: Final = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc describe distinct do else end except false fetch for foreign
    freeze from full grant group having ilike in initially inner intersect into is isnull join lambda lateral leading
    left like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps pivot
    pivot_longer pivot_wider placing primary qualify references returning right select semi session_user show similar
    some summarize symmetric system_user table tablesample then to trailing true union unique unpivot user using
    variadic verbose when where window with
    cmax cmin ctid oid tableoid xmax xmin
"""
RESERVED: Final = frozenset((*SYSTEM_COLUMNS, *_RESERVED_WORDS.split()))


def name_column(key: str, taken: Collection[str], *, suffix: str = "") -> str:
    """Return the name of a key's column beside those that are taken; ``suffix`` is that of a further one.

    The same keys in the same order always get the same names.
    """
    end = f"__{suffix}" if suffix else ""
    return make_unique(_spare_reserved(_cut(_fold(key), key, LONGEST_NAME - len(end)) + end), taken)


def fold_name(text: str) -> str:
    """Return a text as a name: lower case, Latin letters without their marks, digits, and ``_`` for all else.

    One that is cut ends in a hash of the whole.
    """
    return _spare_reserved(_cut(_fold(text), text, LONGEST_NAME))


def is_name(text: str) -> bool:
    """Whether a text is a name as it is."""
    return bool(text) and text not in SYSTEM_COLUMNS and fold_name(text) == text


def make_unique(name: str, taken: Collection[str]) -> str:
    """Return a name, or one with the first free number after it."""
    number, free = 1, name
    while free in taken:
        number += 1
        end = f"_{number}"
        free = name[: LONGEST_NAME - len(end)] + end
    return free


def _fold(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    name = _ODD.sub("_", "".join(letter for letter in letters if not unicodedata.combining(letter))) or "_"
    return f"_{name}" if name[0].isdigit() else name


def _spare_reserved(name: str) -> str:
    return f"{name}_" if name in RESERVED else name


def _cut(name: str, text: str, longest: int) -> str:
    """Cut what is too long, so that texts which begin alike still get names of their own."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{name[: longest - _HASH_DIGITS - 1]}_{digest}"
