"""The shapes of requests and answers as marshmallow schemas, which also make up the OpenAPI document."""
