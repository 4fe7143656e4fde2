"""What an OpenID provider says of a person becomes an environment and a role."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.engine.errors import ForbiddenError
from app.engine.json_types import JSON
from app.engine.json_values import make_text_storable
from app.engine.objects.environments import DEFAULT_ENVIRONMENT, Role

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdProvider:
    """The provider that people sign in by."""

    issuer: str
    """Its address, below which ``.well-known/openid-configuration`` is."""
    client_id: str
    client_secret: str = field(repr=False)
    claim: str
    """The claim that holds a person's environment and role."""
    cookie_key: str = field(repr=False)
    """Signs what the browser keeps while somebody is at the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a person may do, and where."""

    name: str
    environment: str
    role: Role


def read_grant(claims: Mapping[str, JSON], claim: str) -> Grant:
    """Return the grant of a person; raise ForbiddenError when the claim holds none.

    The claim is ``role`` or ``environment:role``, or a list in which the first such text counts.
    """
    given = claims.get(claim)
    for text in given if isinstance(given, list) else [given]:
        environment, _, role = str(text).rpartition(":")
        if role in set(Role):
            name = next((str(claims[key]) for key in ("email", "name", "sub") if claims.get(key)), "somebody")
            return Grant(
                name=make_text_storable(name)[:_LONGEST_NAME],
                environment=environment or DEFAULT_ENVIRONMENT,
                role=Role(role),
            )
    raise ForbiddenError(
        f"your provider gives you no role here: its claim '{claim[:100]}' should be 'read', 'run' or 'admin', "
        "or one of them after the name of an environment, as in 'default:run'"
    )
