"""Tell who changes a config or a job that held records get another key by it, and what becomes of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.engine.errors import UnreadableSecretError
from app.engine.integrations import config as integration_config
from app.engine.jobs.item_keys import list_job_keys
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.records.keys import RecordKey
from app.services.ports import IntegrationReader

CODE = "key_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Records of one resource that a job has brought for accounts of an integration."""

    resource: str
    job_id: str
    job_resources: JSON
    integration_id: str
    accounts: int


class Holdings(Protocol):
    """Knows which records are held."""

    def of(self, environment_id: EnvironmentId, place: Mapping[str, str]) -> Sequence[Holding]:
        """List those of an ``integration_id``, an ``account_id`` or a ``job_id``."""


class Accounts(Protocol):
    """Reads integrated accounts as far as they can be read."""

    def inspect(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount | None:
        """Read one account; secrets that do not decrypt are left out."""


Finish = Callable[[], list[JsonObject]]
"""Gives the warnings of what has changed since."""


class KeyChanges:
    """Compares the keys of held records before and after a change."""

    def __init__(self, holdings: Holdings, integrations: IntegrationReader, accounts: Accounts) -> None:
        """``integrations`` gives them as their environment uses them."""
        self._holdings = holdings
        self._integrations = integrations
        self._accounts = accounts

    def of_integration(self, environment_id: EnvironmentId, integration_id: str) -> Finish:
        """Watch the records of an integration's accounts, beside what single accounts override."""
        return self._watch(environment_id, {"integration_id": integration_id})

    def of_account(self, environment_id: EnvironmentId, account_id: str) -> Finish:
        """Watch the records of an account."""
        return self._watch(environment_id, {"account_id": account_id})

    def of_job(self, environment_id: EnvironmentId, job_id: str) -> Finish:
        """Watch the records that a job has brought."""
        return self._watch(environment_id, {"job_id": job_id})

    def _watch(self, environment_id: EnvironmentId, place: Mapping[str, str]) -> Finish:
        def known() -> dict[tuple[str, str, str], tuple[Holding, list[JsonObject]]]:
            account = self._accounts.inspect(environment_id, place["account_id"]) if "account_id" in place else None
            return self._known(environment_id, self._holdings.of(environment_id, place), account)

        before = known()

        def finish() -> list[JsonObject]:
            after = known() if before else {}
            changed: dict[str, JsonObject] = {}
            for at, (holding, keys) in after.items():
                if at in before and keys and before[at][1] not in ([], keys):
                    _add(changed, holding, before[at][1], keys)
            return list(changed.values())

        return finish

    def _known(
        self, environment_id: EnvironmentId, holdings: Sequence[Holding], account: IntegratedAccount | None
    ) -> dict[tuple[str, str, str], tuple[Holding, list[JsonObject]]]:
        found = {}
        for holding in holdings:
            raw = self._config(environment_id, holding.integration_id)
            config, _ = integration_config.parse_config(
                apply_override(raw, account.integration_override if account else {})
            )
            keys = list_job_keys(holding.job_resources, config) if config is not None else {}
            at = (holding.resource, holding.job_id, holding.integration_id)
            found[at] = (holding, keys.get(holding.resource, []))
        return found

    def _config(self, environment_id: EnvironmentId, integration_id: str) -> JsonObject:
        """Read an integration's config; of one whose secrets do not decrypt nothing is known, and no run uses it."""
        try:
            integration = self._integrations.get(environment_id, integration_id)
        except UnreadableSecretError:
            return {}
        return integration.config if integration is not None else {}


def _add(
    changed: dict[str, JsonObject], holding: Holding, before: Sequence[JsonObject], after: Sequence[JsonObject]
) -> None:
    message = (
        f"the records of '{holding.resource}' that are held are known by {_shown(before)}, from the next run on by "
        f"{_shown(after)}: the first run that sees all of them, without an error and without previous_run_date, "
        "replaces them; until then those that it brings are held beside them"
    )
    known = changed.get(holding.resource, {"accounts": 0})
    accounts = max(known["accounts"], holding.accounts)
    changed[holding.resource] = {
        "code": CODE,
        "resource": holding.resource,
        "accounts": accounts,
        "message": message,
    }


def _shown(keys: Sequence[JsonObject]) -> str:
    return " and ".join(str(RecordKey.from_json(key)) for key in keys)
