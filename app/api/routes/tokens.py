"""``/api-token`` and ``/environment``."""

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, holder, services
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas import tokens as schemas
from app.api.schemas.fields import Deleted, page_of
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role

api_tokens = Resource("api-token", description="Who may call the API", changes=Role.ADMIN)
environments = Resource("environment", description="Where a token's things are", changes=Role.ADMIN)


@api_tokens.serves("POST", body=schemas.NewToken, answer=schemas.CreatedToken, status=201)
def create_token(body: Body) -> Answer:
    """Create a token with at most the rights of the present one; only this answer shows its secret."""
    token, secret = services().tokens.issue(holder(), body.fields, body.faults)
    return answer_created({**show_plain(token), "token": secret})


@api_tokens.serves("GET", query=schemas.TokenQuery, answer=page_of(schemas.Token))
def list_tokens(query: JsonObject) -> Answer:
    """List tokens, newest first, without those that were revoked."""
    return show_page(services().tokens.page(environment(), read_filters(query)), show_plain)


@api_tokens.serves("GET", "/<id>", answer=schemas.Token)
def get_token(id: str) -> Answer:
    """Show a token without its secret, which is not stored."""
    return show_plain(services().tokens.get(environment(), id))


@api_tokens.serves("DELETE", "/<id>", answer=Deleted)
def revoke_token(id: str) -> Answer:
    """Revoke a token at once."""
    services().tokens.revoke(environment(), id, seen=if_match())
    return {"id": id}


@environments.serves("GET", query=schemas.EnvironmentQuery, answer=page_of(schemas.Environment))
def list_environments(query: JsonObject) -> Answer:
    """List environments: a token sees only its own."""
    return show_page(services().environments.page(environment(), read_filters(query)), show_plain)


@environments.serves("GET", "/<id>", answer=schemas.Environment)
def get_environment(id: str) -> Answer:
    """Show the token's environment."""
    return show_plain(services().environments.get(environment(), id))


@environments.serves("PATCH", "/<id>", body=schemas.EnvironmentPatch, answer=schemas.Environment)
def update_environment(body: Body, id: str) -> Answer:
    """Rename the token's environment."""
    changed = services().environments.rename(environment(), id, body.fields, body.faults, seen=if_match())
    return show_plain(changed)
