"""The keys of ``pagination``, and of ``rate_limit``."""

from typing import Final

from app.engine.json_types import JsonObject
from app.engine.known_keys.shapes import (
    EXPRESSION,
    EXPRESSION_OR_FALSE,
    EXPRESSION_OR_NAME,
    FLAG,
    PATH,
    TEXT_OR_NULL,
    Fields,
    Formatted,
    Key,
    choice,
    number,
    reading,
    spelling_of,
    whole,
)

_SIGNS: Final = {
    "total_path": reading("Where the body has the number of all records.", PATH),
    "total_header": reading("The header that has the number of all records.", TEXT_OR_NULL),
    "total": reading("`estimate`: a list that does not reach the total is no error.", choice("exact", "estimate")),
    "total_pages_path": reading("Where the body has the number of pages.", PATH),
    "total_pages_header": reading("The header that has the number of pages.", TEXT_OR_NULL),
    "has_more_path": reading("Where the body says whether there is a next page.", PATH),
    "stop_when": reading(
        "JSONata over `status`, `headers` and `body`: true of an answer that ends a list.", EXPRESSION
    ),
    "max_empty_pages": reading("So many empty pages in a row that promise more are an error.", whole(1)),
    "parallel": reading("false: each page is asked for only when the one before it is stored.", FLAG),
}
_LIMIT: Final = reading("The page size; 100 where the API takes one and none is named.", whole(1))
_SIZE: Final = {"limit": _LIMIT, "page_size": spelling_of("limit", _LIMIT)}
_LIMITED: Final = {"limit_param": reading("The parameter of the page size.", TEXT_OR_NULL), **_SIZE}
_PLACE: Final = {"cursor_in": reading("Where the position and the limit are sent.", choice("query", "body"))}
_SHORT: Final = {
    "short_page_ends": reading("The API documents that a page shorter than its limit is the last one.", FLAG)
}
_END: Final[JsonObject] = {
    "type": ["array", "null"],
    "items": {"type": ["string", "number", "boolean", "null"]},
}


def _join_fields(*parts: dict[str, Key]) -> Fields:
    return Fields(keys={name: key for part in (*parts, _SIGNS) for name, key in part.items()})


PAGINATION: Final = Formatted(
    formats={
        "page": _join_fields(
            {
                "page_param": reading("The parameter of the page's number; `page`.", TEXT_OR_NULL),
                "first_page": reading("The number of the first page; 1.", whole(0)),
            },
            _LIMITED,
            _PLACE,
            _SHORT,
        ),
        "cursor": _join_fields(
            {
                "cursor_path": reading("Where the body has the next cursor; `next_cursor`.", PATH),
                "cursor_param": reading("The parameter of the cursor; `cursor`.", TEXT_OR_NULL),
                "end_cursors": reading("Cursors that say that there is no next page.", _END),
                "next_is": reading("What a next cursor is.", choice("auto", "link", "value")),
            },
            _LIMITED,
            _PLACE,
        ),
        "link_header": _join_fields(_LIMITED),
        "offset": _join_fields(
            {"offset_param": reading("The parameter of the offset; `offset`.", TEXT_OR_NULL)}, _LIMITED, _PLACE, _SHORT
        ),
        "range": _join_fields({"range_unit": reading("The unit of the ranges; `items`.", TEXT_OR_NULL)}, _SIZE, _SHORT),
        "dynamic": _join_fields(
            {
                "get_initial_pagination_values_expression": reading("JSONata: what the first page asks.", EXPRESSION),
                "get_pagination_values_expression": reading(
                    "JSONata: what the next page asks; null ends.", {"type": "string", "minLength": 1}, is_required=True
                ),
                "get_cursor_from_response_expression": reading(
                    "JSONata: the cursor in an answer; nothing ends.", EXPRESSION
                ),
            }
        ),
    }
)

RATE_LIMIT: Final = Fields(
    keys={
        "requests": reading("How many requests the API takes in `per_seconds`.", whole(1)),
        "per_seconds": reading("The seconds that `requests` are for; 1.", number(0.001, 86400)),
        "is_rate_limited": reading(
            "JSONata over `headers` and `status`: true of an answer that refuses for the rate, beside 429.",
            EXPRESSION_OR_FALSE,
        ),
        "retry_after_header_expression": reading(
            "JSONata, or a header's name: the seconds to wait.", EXPRESSION_OR_NAME
        ),
        "rate_limit_header_expression": reading(
            "JSONata, or a header's name: when the limit is lifted.", EXPRESSION_OR_NAME
        ),
        "scope": reading(
            "Accounts with the same scope share one budget; may hold placeholders over the context.", TEXT_OR_NULL
        ),
        "default_wait_seconds": reading("The first wait where an answer names none.", number(0.1, 3600)),
    }
)
