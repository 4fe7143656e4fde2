"""Creates, follows and reads a run by the client that openapi-python-client makes of ``/openapi.json``."""

import json
import os
from typing import TypeVar

from ferryman_client import AuthenticatedClient
from ferryman_client.api.integrated_account import create_integrated_account
from ferryman_client.api.integration import create_integration
from ferryman_client.api.record import list_records
from ferryman_client.api.sync_job import create_sync_job
from ferryman_client.api.sync_job_run import create_sync_job_run, get_sync_job_run
from ferryman_client.models import (
    BearerAuthorization,
    BearerAuthorizationConfig,
    CursorPagination,
    CursorPaginationConfig,
    ErrorAnswer,
    IntegrationConfig,
    NewAccount,
    NewAccountContextType0,
    NewIntegration,
    NewJob,
    NewRun,
    RequestItem,
    Run,
    SpoolItem,
    TransformItem,
    TransformItemConfig,
    TransformItemType,
)

Answer = TypeVar("Answer")

IN_PROGRESS = ("created", "running", "rate_limited")


def given(answer: Answer | ErrorAnswer | None) -> Answer:
    """Return what was asked for; raise when it was refused."""
    if answer is None or isinstance(answer, ErrorAnswer):
        raise RuntimeError("no answer" if answer is None else answer.message)
    return answer


def main() -> None:
    client = AuthenticatedClient(base_url=os.environ["FERRYMAN_URL"], token=os.environ["FERRYMAN_TOKEN"])
    config = IntegrationConfig(
        base_url=os.environ["UPSTREAM_URL"],
        response_path="data",
        authorization=BearerAuthorization("bearer", BearerAuthorizationConfig(token="{{context.token}}")),
        pagination=CursorPagination("cursor", CursorPaginationConfig(cursor_path="next", cursor_param="cursor")),
    )
    context = NewAccountContextType0.from_dict({"token": "secret"})
    items: list[RequestItem | SpoolItem | TransformItem] = [
        RequestItem(resource="people", method="list", persist=True),
        TransformItem(
            type_=TransformItemType.TRANSFORM,
            name="admins",
            depends_on="people",
            resource="admins",
            persist=True,
            config=TransformItemConfig("records[admin].{'id': id, 'title': name}"),
        ),
    ]

    integration = given(create_integration.sync(client=client, body=NewIntegration(name="acme", config=config)))
    account = given(
        create_integrated_account.sync(
            client=client, body=NewAccount(tenant_id="t1", integration_name=integration.name, context=context)
        )
    )
    job = given(create_sync_job.sync(client=client, body=NewJob(integration_name=integration.name, resources=items)))
    created = given(create_sync_job_run.sync(client=client, body=NewRun(job.id, account.id)))
    assert isinstance(created, Run)
    run = created
    while run.status in IN_PROGRESS:
        run = given(get_sync_job_run.sync(str(run.id), client=client, wait=3))
    records = given(list_records.sync(client=client, integrated_account_id=account.id, resource="admins"))
    refused = create_sync_job_run.sync(client=client, body=NewRun(account.id, account.id))

    print(
        json.dumps(
            {
                "status": run.status,
                "error": run.error.message if run.error else None,
                "items": [type(item).__name__ for item in job.resources],
                "paging": type(integration.config.pagination).__name__,
                "persisted": run.resource_stats.to_dict()["people"]["list"]["persisted"],
                "records": [record.data for record in records.result],
                "refusal": [one.path for one in refused.details.failures] if isinstance(refused, ErrorAnswer) else None,
            }
        )
    )


if __name__ == "__main__":
    main()
