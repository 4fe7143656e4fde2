"""What the name of a field, a header or a parameter says about its value: whether it is secret, or surely is not.

A name that says neither counts as a secret's wherever a literal is (``config.secrets``); ``is_secret_name`` is
the fallback where values have to be shown that nobody declared, such as the headers of an answer.
"""

import functools
import re
from typing import Final

_ANYWHERE: Final = """
    secret secrets password passwords passwd passphrase passcode passkey pwd pass pat otp credential credentials
    apikey hapikey apitoken appkey authkey authtoken accesskey accesstoken privatekey secretkey
    cookie cookies jwt cert pem
"""
_AT_THE_END: Final = "token key auth authorization signature session sessionid bearer"
_OF_PAGING: Final = """
    page pagination paging next previous prev cursor continuation sync delta scroll starting ending start end after
    before bookmark skip sort order partition range
"""
_PLAIN: Final = """
    accept accept_charset accept_encoding accept_language content_type content_language cache_control connection
    user_agent prefer range consistency_level odata_version odata_max_version x_requested_with

    limit page per_page page_size page_number page_limit page_offset size count max maximum max_results max_page_size
    offset skip start start_at start_index from first last top rows number num results per batch_size chunk_size
    total include_total include_totals with_total return_total

    order order_by ordering sort sort_by sort_order sort_direction sort_key sorting direction dir desc asc ascending

    field fields select expand include includes include_fields exclude excludes embed with props property properties
    columns attributes associations relations view depth details detail full verbose minimal metadata
    filter filters where operator q query search search_text keyword keywords term jql soql cql sql
    status statuses state states type types kind kinds category archived is_archived include_archived deleted
    is_deleted include_deleted show_deleted include_inactive active is_active all recursive
    since until before after since_id updated updated_at updated_since updated_after updated_from modified
    modified_since modified_after created created_at created_since created_after created_before start_date end_date
    start_time end_time from_date to_date date_from date_to

    format alt output response_format lang language locale timezone time_zone tz units currency pretty version
    jsonrpc method operation operation_name action
    grant_type response_type scope scopes audience resource access_type prompt
"""
"""Headers; paging, sorting and choosing; forms of answers, calls in bodies, token endpoints."""

_SECRET_WORDS: Final = frozenset(_ANYWHERE.split())
_SECRET_LAST_WORDS: Final = frozenset(_AT_THE_END.split())
_PAGING_WORDS: Final = frozenset(_OF_PAGING.split())
_POSITIONS: Final = frozenset({"token", "key"})
"""With a word of paging they are a list's position."""
_PLAIN_NAMES: Final = frozenset(_PLAIN.split())
_PLAIN_FAMILIES: Final = frozenset({"filter", "fields", "page", "sort", "include"})
"""Such a name with others in brackets: ``page[size]``."""
_PLAIN_LAST_WORDS: Final = frozenset({"version"})

_LONGEST_KEPT: Final = 200
"""Results for longer names are not cached: users could fill the cache with them."""
_WORD_BORDER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def is_secret_name(name: str) -> bool:
    """Whether a field, header or parameter of such a name holds a secret."""
    return _is_secret(name) if len(name) <= _LONGEST_KEPT else _is_secret.__wrapped__(name)


@functools.lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    words = _split_words(name)
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    is_position = words[-1] in _POSITIONS and not _PAGING_WORDS.isdisjoint(words)
    return (words[-1] in _SECRET_LAST_WORDS and not is_position) or "".join(words).endswith(("apikey", "accesstoken"))


def is_plain_name(name: str) -> bool:
    """Whether a header or a parameter of such a name never holds a secret."""
    return len(name) <= _LONGEST_KEPT and _is_plain(name)


@functools.lru_cache(maxsize=4096)
def _is_plain(name: str) -> bool:
    words = _split_words(name)
    if "_".join(words) in _PLAIN_NAMES or words[-1] in _PLAIN_LAST_WORDS:
        return True
    return "[" in name and words[0] in _PLAIN_FAMILIES and not is_secret_name(name)


def _split_words(name: str) -> list[str]:
    return [word.lower() for word in _WORD_BORDER.split(name) if word] or [""]
