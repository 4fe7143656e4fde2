"""The setup and the runs of the demo, through the public HTTP API."""

from dataclasses import dataclass

from app.client import ApiClient
from app.demo.sample_upstream import API_KEY, PAGE_SIZE
from app.engine.json_types import JsonObject

INTEGRATION = "sample-ticketing"
RESOURCES = ("users", "tickets", "comments")
_EASY_PACE: JsonObject = {"requests": 50, "per_seconds": 1}
"""Under it a run takes so long that a person has time to look, and to kill a daemon."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A job that is ready to run for an account."""

    client: ApiClient
    upstream_url: str
    integration_id: str
    account_id: str
    job_id: str

    def run_on_daemons(self) -> str:
        """Post a run that persists in Postgres; return its id."""
        return self._run({"daemon_group_key": "default"})

    def run_to_be_watched(self) -> str:
        """Post a run that persists in Postgres, at an easy pace; return its id."""
        config = {**_build_integration_config(self.upstream_url), "rate_limit": _EASY_PACE}
        self.client.patch(f"/integration/{self.integration_id}", {"config": config})
        return self.run_on_daemons()

    def run_to_webhook(self, webhook_id: str) -> str:
        """Post a run that delivers to a webhook; return its id."""
        return self._run({"webhook_id": webhook_id})

    def _run(self, destination: JsonObject) -> str:
        body = {"sync_job_id": self.job_id, "integrated_account_id": self.account_id, **destination}
        return str(self.client.post("/sync-job-run", body)["id"])


def set_up(client: ApiClient, upstream_url: str) -> Scenario:
    """Create the integration, a customer's account and the job."""
    integration = client.post("/integration", {"name": INTEGRATION, "config": _build_integration_config(upstream_url)})
    account = client.post("/integrated-account", _ACCOUNT)
    job = client.post("/sync-job", {"integration_name": INTEGRATION, "label": "Helpdesk", "resources": _JOB_RESOURCES})
    return Scenario(client, upstream_url, integration["id"], account["id"], job["id"])


_ACCOUNT = {
    "integration_name": INTEGRATION,
    "tenant_id": "acme",
    "authentication_method": "api_key",
    "context": {"api_key": API_KEY},
}

_JOB_RESOURCES = [
    {"resource": "users", "method": "list", "persist": True},
    {"resource": "tickets", "method": "list", "persist": True},
    {
        "resource": "comments",
        "method": "list",
        "depends_on": "tickets",
        "query": {"ticket_id": "{{resources.tickets.id}}"},
        "persist": True,
    },
]


def _build_integration_config(upstream_url: str) -> JsonObject:
    return {
        "base_url": upstream_url,
        "authorization": {
            "format": "header",
            "config": {"header_name": "x-api-key", "header_value": "{{context.api_key}}"},
        },
        "pagination": {
            "format": "cursor",
            "config": {
                "cursor_path": "next_cursor",
                "cursor_param": "cursor",
                "limit_param": "limit",
                "limit": PAGE_SIZE,
            },
        },
        "resources": {
            "users": {"list": {"path": "/users", "response_path": "data"}},
            "tickets": {"list": {"path": "/tickets", "response_path": "data"}},
            "comments": {"list": {"path": "/tickets/{{query.ticket_id}}/comments", "response_path": "data"}},
        },
    }
