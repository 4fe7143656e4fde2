"""The shapes of requests and answers, as marshmallow schemas; the OpenAPI document is made of the same."""
