"""Environments, their tokens, and their owners' customers.

Times of all objects in this room are aware UTC datetimes; ids are canonical UUID strings. Secrets are plain here and
encrypted in the store; no object that holds one has it in its ``repr``.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from app.engine.json_types import JsonObject


class Role(StrEnum):
    """The role of an API token."""

    READ = "read"
    """Look at everything of the environment."""
    RUN = "run"
    """Start, stop and resume runs, send deliveries again, call accounts."""
    ADMIN = "admin"
    """Change definitions, accounts, webhooks and tokens."""

    def covers(self, needed: "Role") -> bool:
        """Whether the holder of this role may do what another one allows."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


EnvironmentId = NewType("EnvironmentId", str)


DEFAULT_ENVIRONMENT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A tenant: everything but daemons belongs to one, and nothing of it is seen from another."""

    id: EnvironmentId
    name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A bearer token's record; the secret itself is never stored."""

    id: str
    environment_id: EnvironmentId
    name: str
    role: Role
    created_by: str | None = None
    """The token that made it by the API; None is the command line."""
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


TENANT_ID: Final = re.compile(r"[A-Za-z0-9._:@+\-]{1,256}")
"""An account may be of a tenant of another id, which has no row of its own."""


RESERVED_TENANT_ID: Final = "bulk"
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


def is_tenant_id(text: str) -> bool:
    """Whether a text can be the id of a tenant."""
    return TENANT_ID.fullmatch(text) is not None and text != RESERVED_TENANT_ID
