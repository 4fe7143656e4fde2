"""A small unified model and how the integration ``acme`` carries it out."""

from collections.abc import Mapping
from typing import Final

from app.engine.json_types import JsonObject

MODEL: Final[JsonObject] = {
    "name": "crm",
    "category": "crm",
    "resources": {
        "contacts": {
            "description": "People",
            "schema": {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}},
        },
        "notes": {"methods": ["list"]},
    },
}
CONTACT: Final = """
response.{
    "id": $string(id),
    "name": $firstNonEmpty(name, email),
    "emails": email ? [{"email": $lowercase(email)}] : [],
    "created_at": created
}
"""
MAPPINGS: Final[Mapping[tuple[str, str], JsonObject]] = {
    ("contacts", "list"): {
        "resource": "people",
        "response_mapping": CONTACT,
        "query_mapping": '{"since": query.updated_at.gt, "type": "person"}',
    },
    ("contacts", "get"): {"resource": "people", "response_mapping": CONTACT},
    ("contacts", "create"): {
        "resource": "people",
        "response_mapping": CONTACT,
        "request_body_mapping": '{"name": body.name, "email": body.emails[0].email}',
        "error_mapping": '{"message": "refused: " & response.reason, "code": "crm_" & response.kind}',
    },
    ("contacts", "delete"): {"resource": "people"},
    ("notes", "list"): {
        "resource": "annotations",
        "query_mapping": '{"person": query.contact.id}',
        "response_mapping": 'response.{"id": key, "text": body}',
        "response_mapping_method": "array",
    },
}
