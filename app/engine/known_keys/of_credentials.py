"""The keys of ``authorization``, and of ``credentials``."""

from typing import Final

from app.engine.known_keys.shapes import (
    ANY_TEXT_OR_NULL,
    ANYTHING,
    EXPRESSION,
    OBJECT,
    PATH,
    TEXT,
    TEXT_OR_NULL,
    ByFormat,
    Fields,
    Formatted,
    Key,
    ListOf,
    choice,
    kept,
    reading,
    spelling_of,
    unserved,
    within,
)

_NAME: Final = reading("The header's name; may hold placeholders.", TEXT_OR_NULL)
_VALUE: Final = reading("The header's value; may hold placeholders.", TEXT_OR_NULL)

AUTHORIZATION: Final = Formatted(
    formats={
        "bearer": Fields(keys={"token": reading("The token; by default that of the account's context.", TEXT_OR_NULL)}),
        "header": Fields(
            keys={
                "header_name": _NAME,
                "header_value": _VALUE,
                "expression": reading(
                    "JSONata over `url`, `requestOptions` and `context` that returns an object of headers, instead.",
                    EXPRESSION,
                ),
                "name": spelling_of("header_name", _NAME),
                "header": spelling_of("header_name", _NAME),
                "value": spelling_of("header_value", _VALUE),
            }
        ),
        "basic": Fields(
            keys={
                "username": reading("May hold placeholders.", TEXT, is_required=True),
                "password": reading("May hold placeholders; empty where there is none.", ANY_TEXT_OR_NULL),
            }
        ),
    }
)

_FIELD: Final = Fields(
    keys={
        "name": reading("The key of the account's context that the value is kept at.", ANYTHING),
        "type": reading("How it is asked for; what shows what is typed is no secret.", ANYTHING),
        "secret": reading("Whether the value is a secret, whatever its type is.", {"type": "boolean"}),
        "label": kept("What the form calls it."),
        "required": kept("For the form: whether a value has to be given."),
        "default": kept("For the form: the value that it begins with."),
        "format": kept("For the form: what the value has to look like, such as `email`."),
        "pattern": kept("For the form: an expression that the value has to match."),
        "placeholder": kept("For the form: what an empty field shows."),
        "help_text": kept("For the form: where a person finds the value."),
        "options": kept("For the form: `[{label, value}]` of a `single_select`."),
        "transform": unserved("Values are kept as they are entered: `lowercase`, `uppercase` and `sha256` do nothing."),
    }
)
_FORM: Final[dict[str, Key]] = {
    "fields": within("What a person is asked for who connects an account.", ListOf(inner=_FIELD)),
    "documentation_link": kept("Where a person reads how to get the credentials."),
    "permissions_text": kept("What the credentials have to allow, for a person."),
}
_CLIENT: Final = Fields(
    keys={
        "id": reading("The client's id; by default the context's `client_id`.", TEXT_OR_NULL),
        "secret": reading("The client's secret; by default the context's `client_secret`.", TEXT_OR_NULL),
        "idParamName": reading("The field that sends the id; `client_id`.", TEXT_OR_NULL),
        "secretParamName": reading("The field that sends the secret; `client_secret`.", TEXT_OR_NULL),
    }
)
_LINK: Final = "Accounts are connected elsewhere, and their tokens handed over: there is no such page here."
_AUTH: Final = Fields(
    keys={
        "tokenHost": reading("Where tokens are asked for, such as `https://auth.example.com`.", TEXT, is_required=True),
        "tokenPath": reading("The path there; `/oauth/token`.", TEXT_OR_NULL),
        "refreshPath": reading("The path where tokens are renewed, if it is another.", TEXT_OR_NULL),
        "authorizeHost": kept(_LINK),
        "authorizePath": kept(_LINK),
        "revokePath": unserved("Tokens are not revoked."),
    }
)
_OPTIONS: Final = Fields(
    keys={
        "authorizationMethod": reading("Where the client is named.", choice("body", "header")),
        "bodyFormat": reading("How a token is asked for.", choice("form", "json")),
        "scopeSeparator": reading("What parts the scopes; a space.", TEXT_OR_NULL),
        "credentialsEncodingMode": reading(
            "`loose`: HTTP Basic has the id and the secret unencoded.", choice("strict", "loose")
        ),
    }
)
_ANSWER: Final = Fields(
    keys={
        "path": reading("Where the answer has the object of the token.", PATH),
        "access": reading("Where that has the access token.", PATH),
        "refresh": reading("Where it has the refresh token.", PATH),
        "expires": reading("Where it has the life or the end of the token.", PATH),
    }
)
_GRANT: Final[dict[str, Key]] = {
    **_FORM,
    "client": within("The client that tokens are asked for with.", _CLIENT),
    "auth": within("Where tokens are requested; without it they are renewed elsewhere.", _AUTH),
    "options": within("How tokens are asked for.", _OPTIONS),
    "scope": reading("What the tokens are for.", {"type": ["array", "string", "null"], "items": {"type": "string"}}),
    "tokenParams": reading("Further fields of the request for a token; null takes one away.", OBJECT),
    "tokenResponse": within("Where an unusual answer has its token.", _ANSWER),
    "params": unserved("Parameters of the page where accounts are connected, which is not here."),
    "refreshParams": unserved("Further fields of a renewal: `tokenParams` are sent then too."),
    "pkce": unserved("The page where accounts are connected is not here."),
}
PLAIN_FORMATS: Final = ("api_key", "basic", "bearer", "header", "none")
CREDENTIALS: Final = ByFormat(
    one=Formatted(
        formats={
            **{name: Fields(keys=_FORM) for name in PLAIN_FORMATS},
            "oauth2": Fields(keys=_GRANT),
            "oauth2_client_credentials": Fields(keys=_GRANT),
        }
    )
)
