"""Warn the author of a change to a config or a job by which held records get another key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.engine.errors import UnreadableSecretError
from app.engine.integrations import config as integration_config
from app.engine.jobs.item_keys import list_job_keys
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import apply_override
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.records.keys import RecordKey
from app.services.crud import Reader

CODE = "key_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Records of one resource that a job has fetched for accounts of an integration."""

    resource: str
    job_id: str
    job_resources: JSON
    integration_id: str
    accounts: int


HoldingReader = Callable[[EnvironmentId, Mapping[str, str]], Sequence[Holding]]
"""Returns the holdings of an ``integration_id``, an ``account_id`` or a ``job_id``."""
Finish = Callable[[], list[JsonObject]]
"""Returns the warnings of what has changed since."""


class KeyChanges:
    """Compares the keys of held records before and after a change."""

    def __init__(
        self,
        holdings: HoldingReader,
        integrations: Reader[Integration],
        inspect_account: Callable[[EnvironmentId, str], IntegratedAccount | None],
    ) -> None:
        """``integrations`` reads them as their environment uses them."""
        self._holdings = holdings
        self._integrations = integrations
        self._inspect_account = inspect_account

    def watch_integration(self, environment_id: EnvironmentId, integration_id: str) -> Finish:
        """Watch the records of an integration's accounts, without the overrides of single accounts."""
        return self._watch(environment_id, {"integration_id": integration_id})

    def watch_account(self, environment_id: EnvironmentId, account_id: str) -> Finish:
        """Watch the records of an account."""
        return self._watch(environment_id, {"account_id": account_id})

    def watch_job(self, environment_id: EnvironmentId, job_id: str) -> Finish:
        """Watch the records that a job has fetched."""
        return self._watch(environment_id, {"job_id": job_id})

    def _watch(self, environment_id: EnvironmentId, place: Mapping[str, str]) -> Finish:
        def read_keys() -> dict[tuple[str, str, str], tuple[Holding, list[JsonObject]]]:
            account = self._inspect_account(environment_id, place["account_id"]) if "account_id" in place else None
            return self._read_keys(environment_id, self._holdings(environment_id, place), account)

        before = read_keys()

        def finish() -> list[JsonObject]:
            after = read_keys() if before else {}
            changed: dict[str, JsonObject] = {}
            for at, (holding, keys) in after.items():
                if at in before and keys and before[at][1] not in ([], keys):
                    _add(changed, holding, before[at][1], keys)
            return list(changed.values())

        return finish

    def _read_keys(
        self, environment_id: EnvironmentId, holdings: Sequence[Holding], account: IntegratedAccount | None
    ) -> dict[tuple[str, str, str], tuple[Holding, list[JsonObject]]]:
        found = {}
        for holding in holdings:
            raw = self._read_config(environment_id, holding.integration_id)
            config, _ = integration_config.parse_config(
                apply_override(raw, account.integration_override if account else {})
            )
            keys = list_job_keys(holding.job_resources, config) if config is not None else {}
            at = (holding.resource, holding.job_id, holding.integration_id)
            found[at] = (holding, keys.get(holding.resource, []))
        return found

    def _read_config(self, environment_id: EnvironmentId, integration_id: str) -> JsonObject:
        """Return an integration's config; {} where its secrets do not decrypt, so that no run uses it."""
        try:
            integration = self._integrations.get(environment_id, integration_id)
        except UnreadableSecretError:
            return {}
        return integration.config if integration is not None else {}


def _add(
    changed: dict[str, JsonObject], holding: Holding, before: Sequence[JsonObject], after: Sequence[JsonObject]
) -> None:
    message = (
        f"the records of '{holding.resource}' that are held are known by {_join(before)}, from the next run on by "
        f"{_join(after)}: the first run that sees all of them, without an error and without previous_run_date, "
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


def _join(keys: Sequence[JsonObject]) -> str:
    return " and ".join(str(RecordKey.from_json(key)) for key in keys)
