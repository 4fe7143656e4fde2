"""A tenant: a customer of an environment's owner, known by an id of the owner's."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.engine.json_types import JsonObject
from app.engine.objects.objects import EnvironmentId

ID: Final = re.compile(r"[A-Za-z0-9._:@+\-]{1,256}")
"""An account may be of a tenant of another id, which has no row of its own."""
BULK: Final = "bulk"
"""No tenant is called so: it is a part of a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A customer."""

    id: str
    environment_id: EnvironmentId
    name: str
    metadata: JsonObject
    """The owner's own notes."""
    created_at: datetime
    updated_at: datetime


def is_id(text: str) -> bool:
    """Whether a text can be the id of a tenant."""
    return ID.fullmatch(text) is not None and text != BULK
