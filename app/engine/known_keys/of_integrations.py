"""The keys of an integration's config, and of its resources' methods."""

from typing import Final

from app.engine.config.secrets import RECORDS_SCHEMA
from app.engine.known_keys.of_credentials import AUTHORIZATION, CREDENTIALS
from app.engine.known_keys.of_paging import PAGINATION, RATE_LIMIT
from app.engine.known_keys.shapes import (
    ANY_TEXT_OR_NULL,
    ANYTHING,
    EXPRESSION,
    FLAG,
    OBJECT,
    PATH,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    Fields,
    Key,
    MapOf,
    choice,
    kept,
    reading,
    unserved,
    whole,
    within,
)

_BASE_URL: Final = {**TEXT, "pattern": r"^(https?://[^/?#\s]|\{\{)"}
_FORMATS: Final[dict[str, Key]] = {
    "query_array_format": reading("How queries write arrays.", choice("repeat", "brackets", "indices", "comma")),
    "body_format": reading("How bodies are written.", choice("json", "form", "multipart", "raw", "xml")),
    "body_format_config": within(
        "What the body's format needs.",
        Fields(
            keys={
                "root": reading("The outermost element of an XML body; `request`.", TEXT_OR_NULL),
                "boundary": unserved("The boundary of a multipart body is made of what it holds."),
            }
        ),
    ),
    "api_response_format": reading("How answers are read.", choice("auto", "json", "xml", "ndjson")),
    "response_format": reading("What an answer holds where a list is due.", choice("array", "map", "object")),
}
_INHERITED: Final[dict[str, Key]] = {
    "headers": reading("Headers of every request; null takes one away. Values may hold placeholders.", OBJECT),
    "response_path": reading("Where answers have their records: a path, or JSONata over the answer.", PATH),
    "id_path": reading("Where a record has its id; a list of paths is the id together.", PATH),
    "pagination": within("How the pages of a list are asked for; null: it has one page.", PAGINATION),
    "authorization": within("How requests prove whose they are.", AUTHORIZATION),
    "error_expression": reading(
        "JSONata over `response`, `data`, `headers` and `status`: finds errors in answers.", EXPRESSION
    ),
    **_FORMATS,
}
_BOUND: Final = {"type": ["string", "number", "null"]}
PARTITION: Final = Fields(
    keys={
        "by": reading("What the list is cut by.", choice("time", "number", "value"), is_required=True),
        "from": reading("The parameter for the beginning of a part.", TEXT_OR_NULL),
        "to": reading("The parameter for the end of a part.", TEXT_OR_NULL),
        "param": reading("The parameter for a known value.", TEXT_OR_NULL),
        "values": reading(
            "The known values.", {"type": ["array", "null"], "items": {"type": ["string", "integer"]}, "minItems": 1}
        ),
        "in": reading("Where these parameters are sent; a dotted name is a nested field.", choice("query", "body")),
        "format": reading("How bounds are written.", choice("iso", "date", "epoch", "epoch_day", "epoch_ms", "number")),
        "start": reading("Where the list probably begins; earlier records are in the first part.", _BOUND),
        "end": reading("Where the list probably ends; later records are in the last part.", _BOUND),
        "step": reading("The length of a part: seconds, or numbers; `auto`.", {"type": ["string", "integer", "null"]}),
        "max_results": reading("The API returns no more records of one list.", whole(1)),
        "part_pages": reading("The most pages of a part, as far as it can be cut.", whole(1)),
        "total_path": reading("Where a first answer has the number of its list's records.", PATH),
        "from_excluded": reading("The API leaves out the records at the beginning of a range.", FLAG),
    }
)
METHOD: Final = Fields(
    keys={
        "path": reading("The path behind `base_url`; may hold placeholders.", ANY_TEXT_OR_NULL),
        "method": reading(
            "The HTTP method; by default that of the usual routes.",
            {
                "enum": [name for one in ("get", "post", "put", "patch", "delete") for name in (one, one.upper())]
                + [None]
            },
        ),
        "base_url": reading("Replaces the integration's.", TEXT_OR_NULL),
        **_INHERITED,
        "query": reading(
            "Parameters of every request; a text is JSONata that makes the whole query.",
            {"type": ["object", "string", "null"]},
        ),
        "body": reading("Replaces the call's body; may hold placeholders.", ANYTHING),
        "add_query_to_body": reading("The call's query becomes a part of its body, and is not in the address.", FLAG),
        "ignore_body": reading("Requests have no body, whatever the call's is.", FLAG),
        "set_body_to_null": reading("Requests have the body `null`, whatever the call's is.", FLAG),
        "no_auth": reading("Requests prove nothing: `authorization` does not count.", FLAG),
        "timeout_seconds": reading("How long a request may take.", whole(1)),
        "partition": within("How the list is cut into parts that are read side by side.", PARTITION),
        "is_read": reading("It changes nothing upstream, so that it may be sent twice.", FLAG),
        "description": kept("What it does, for people and for AI agents."),
        "query_schema": kept("JSON Schema of the query, for people and for AI agents."),
        "body_schema": kept("JSON Schema of the body, for people and for AI agents."),
        "response_schema": kept("JSON Schema of the records, for people."),
        "api_documentation_url": kept("Where the API's maker describes it."),
        "scopes": kept("The scopes of OAuth that it needs."),
        "examples": kept("Examples of queries, bodies and answers."),
        "pagination_path": unserved("The keys of `pagination.config` are paths from the top of the answer."),
        "ignore_body_in_pagination": unserved("Every page is asked for with the body of the first one."),
        "ignore_credentials_on_redirect": unserved("Credentials never follow a redirect to another origin."),
        "throw_error_on_parse_error": unserved("An answer that can not be read is always an error."),
    }
)
_OF_RESOURCES: Final = {
    RECORDS_SCHEMA: reading("JSON Schema of its records, which declares the types of their columns.", OBJECT)
}
INTEGRATION: Final = Fields(
    keys={
        "base_url": reading("Where the API is; may hold placeholders.", _BASE_URL, is_required=True),
        **_INHERITED,
        "query": reading("Parameters of every request; values may hold placeholders.", OBJECT),
        "credentials": within("How accounts sign in, and how their tokens are renewed.", CREDENTIALS),
        "rate_limit": within("What is known of the API's rate limit.", RATE_LIMIT),
        "resources": within(
            "What is different from the usual REST routes.",
            MapOf(inner=MapOf(inner=METHOD, name="methods", beside=_OF_RESOURCES), name="resources"),
        ),
        "allowed_hosts": reading("The hosts that get the config's own secrets.", {**TEXTS, "minItems": 1}),
        "non_secret": reading("Names of headers and parameters, and paths of the context, that are no secret.", TEXTS),
        "tool_tags": kept("Tags of each resource's tools: `{resource: [tag]}`."),
        "label": kept("What people call it."),
        "logo": kept("The address of its picture."),
        "icon": kept("The address of its small picture."),
        "webhook": unserved("Webhooks of the third party are not received."),
        "actions": unserved("Actions when an account is connected or checked do not run."),
    }
)
