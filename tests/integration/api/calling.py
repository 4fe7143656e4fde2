"""How the tests of the API call it."""

from dataclasses import dataclass

from flask.testing import FlaskClient

from app.engine.json_types import JSON, JsonObject

CONFIG = {"base_url": "https://api.example.com", "authorization": {"format": "bearer"}}
RESOURCES = [{"resource": "users", "method": "list", "persist": True}]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the JSON that came with it."""

    status: int
    body: JSON
    headers: dict[str, str]

    @property
    def is_json(self) -> bool:
        """Whether it is no file."""
        return not isinstance(self.body, str)

    @property
    def paths(self) -> list[str]:
        """The paths of the failures, sorted."""
        return sorted(failure["path"] for failure in self.body["details"]["failures"])


class Caller:
    """Speaks JSON to the application, as the holder of one token."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self._client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: JSON = None, **options: JSON) -> Answer:
        """Send a request; ``data`` sends bytes instead of JSON."""
        headers = {**self.headers, **options.pop("headers", {})}
        sent = {"json": body} if body is not None else {}
        response = self._client.open(path, method=method, headers=headers, **sent, **options)
        # A file, such as an export, is its text.
        assert response.content_type in ("application/json", "application/x-ndjson")
        body = response.get_json() if response.is_json else response.get_data(as_text=True)
        return Answer(response.status_code, body, dict(response.headers))

    def get(self, path: str, **query: JSON) -> Answer:
        return self.call("GET", path, query_string=query)

    def post(self, path: str, body: JSON, **options: JSON) -> Answer:
        return self.call("POST", path, body, **options)

    def patch(self, path: str, body: JSON) -> Answer:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self.call("DELETE", path)


@dataclass(frozen=True, slots=True)
class Catalog:
    """An integration with an account and a job."""

    integration: JsonObject
    account: JsonObject
    job: JsonObject

    @property
    def run_body(self) -> JsonObject:
        """A valid body of POST /sync-job-run."""
        return {"sync_job_id": self.job["id"], "integrated_account_id": self.account["id"]}
