"""Call an account's API at any path below the integration's base_url, and return its answer unchanged."""

import json
from dataclasses import dataclass, field

from app.engine.integrations.config import PASSED_ON
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.redaction import choose_shown_paths
from app.engine.templating import request_paths
from app.services.calls.accounts import CalledAccounts, await_answer
from app.services.ports import PageCall, PlainAnswer, RawBody, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRequest:
    """One call."""

    account_id: str
    http_method: str
    path: str
    """Percent-encoded."""
    query: JsonObject = field(default_factory=dict)
    """Texts, or lists of texts where a name comes more than once."""
    body: JSON = None
    raw_body: RawBody | None = None
    """In the place of ``body``."""


class CustomCalls:
    """Makes calls with the integration's authorization and headers, within the account's rate budget."""

    def __init__(self, *, called: CalledAccounts, source: Source, timeout_seconds: float) -> None:
        self._called = called
        self._source = source
        self._timeout_seconds = timeout_seconds

    def call(self, environment_id: EnvironmentId, request: CustomRequest) -> PlainAnswer:
        """Return the API's answer; raise InvalidInputError for a path that leaves the base_url, SourceError."""
        path = request_paths.check_caller(request.path, "path")
        account = self._called.admit(environment_id, request.account_id)
        config = self._called.config(account)
        call = PageCall(
            account_id=account.id,
            integration=account.integration_name,
            config=config.pass_on(request.http_method),
            context=account.context,
            origins=account.origins,
            is_refused=account.is_refused,
            plain_paths=choose_shown_paths(config.plain_paths, account.plain_paths),
            resource=PASSED_ON,
            method=request.http_method.lower(),
            path=path,
            query=request.query,
            # A text would be taken for JSON that is serialized already.
            body=json.dumps(request.body) if isinstance(request.body, str) else request.body,
            raw_body=request.raw_body,
        )
        return await_answer(self._source.pass_on(call), timeout_seconds=self._timeout_seconds)
