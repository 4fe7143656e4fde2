"""What is declared of records: by integrations, by what environments lay over them, and by unified models."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Engine, text

from app.engine.json_types import JSON
from app.engine.objects.environments import EnvironmentId
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading

# Only the schemas leave the configs, which may be large and hold what is sealed. A later one goes before.
_DECLARED: Final = text("""
    with config as (
        select 2 as place, '' as prefix, i.config -> 'resources' as resources from integration i
         where i.environment_id = :environment_id and i.name = :integration_name
        union all
        select 3, '', o.override -> 'resources' from environment_integration o
          join integration i on i.id = o.integration_id
         where i.environment_id = :environment_id and i.name = :integration_name
        union all
        select 1, m.name || '/', m.resources from unified_model m where m.environment_id = :environment_id)
    select prefix || key as resource, value -> 'schema' as schema
      from config, jsonb_each(case when jsonb_typeof(resources) = 'object' then resources else '{}' end) one
     where jsonb_typeof(value) = 'object' and jsonb_typeof(value -> 'schema') = 'object'
     order by place, prefix, key
""")


@retry_conflicts
class Declarations:
    """The JSON Schemas of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, environment_id: EnvironmentId, integration_name: str) -> Mapping[str, JSON]:
        """Return the JSON Schema of each resource that has one."""
        values = {"environment_id": environment_id, "integration_name": integration_name}
        with reading(self._engine) as connection:
            return {row.resource: row.schema for row in connection.execute(_DECLARED, values)}
