"""``/log``: what became of cron triggers' due times."""

from app.api.resource import Resource
from app.api.schemas.fields import page_of
from app.api.schemas.logs import Fire, LogQuery
from app.api.services import environment, services
from app.api.views import Answer, filters_of, page_view, plain_view
from app.engine.json_types import JsonObject
from app.engine.roles import Role

logs = Resource("log", description="What happened", changes=Role.ADMIN)


@logs.serves("GET", query=LogQuery, answer=page_of(Fire))
def list_log(query: JsonObject) -> Answer:
    """List what became of cron triggers' due times, newest first."""
    query.pop("log_type")
    return page_view(services().triggers.fires(environment(), filters_of(query)), plain_view)
