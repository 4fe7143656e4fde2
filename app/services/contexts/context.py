"""Everything that a slice of a run must know, read from Postgres once per slice."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app.engine.errors import Failure, FerrymanError, UnreadableSecretError
from app.engine.integrations import config as integration_config
from app.engine.integrations.config import IntegrationConfig
from app.engine.jobs import definition, item_keys, planning, scope
from app.engine.jobs.item_keys import HeldKeys, KeyNote, Rekeying
from app.engine.jobs.items import ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import apply_override
from app.engine.objects import daemons
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.integrations import Integration
from app.engine.objects.runs import SyncJobRun
from app.engine.paths import Path
from app.engine.records.keys import RecordKey
from app.engine.redaction import choose_shown_paths, redact
from app.engine.runs.increments import LowerBounds
from app.engine.times import format_utc_or_none
from app.engine.webhooks.events import Envelope
from app.services.contexts.account_origins import NoteOrigins, with_origins
from app.services.crud import Reader
from app.services.ports import Clock
from app.services.unified.mappings import AccountMapping, UnifiedMappings, account_mapping

_KEPT_CONFIGS: Final = 64
_LONGEST_KEPT_CONFIG: Final = 64 * 1024


class RunUnworkableError(FerrymanError):
    """The run can not be worked on: what it was made for is gone or no longer valid."""

    code = "unworkable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRows:
    """What a run's context is made of, all of it as of one moment."""

    run: SyncJobRun
    resource_ids: Mapping[str, str]
    """By name."""
    bounds: LowerBounds
    account: IntegratedAccount | None = field(repr=False)
    """None when it was deleted."""
    integration: Integration | None = field(repr=False)
    """The account's, as its environment uses it."""
    held_keys: Mapping[str, JsonObject] = field(default_factory=dict)
    """Of a run that has not begun, by resource: ``{keys, is_noted}`` of the records that its job has brought."""
    rekeyings: Mapping[str, JsonObject] = field(default_factory=dict)
    """By name, of resources whose records get another key by this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """One run with its plan, its account and the API that it calls."""

    run: SyncJobRun
    queue: str
    """The queue of the daemons that may work on it."""
    plan: RunPlan
    items: Mapping[str, ResourceItem]
    """By name."""
    resource_ids: Mapping[str, str]
    """By name."""
    config: IntegrationConfig
    bounds: LowerBounds
    account: IntegratedAccount = field(repr=False)
    scope: JsonObject = field(repr=False)
    """What requests see that ask from where the run does."""
    later_scopes: Mapping[str, JsonObject] = field(default_factory=dict, repr=False)
    """What the others' requests see, by name."""
    unified: Mapping[str, AccountMapping] = field(default_factory=dict)
    """The mappings of unified APIs' items, by name."""
    held_keys: Mapping[str, HeldKeys] = field(default_factory=dict)
    """By resource, before the run begins: what the records that its job has brought are known by."""
    rekeyings: Mapping[str, Rekeying] = field(default_factory=dict)
    """By name: what records are known by in the place of something else, to the end of the run."""

    def scope_of(self, item: ResourceItem) -> JsonObject:
        """Return what an item's requests and expressions see of the run."""
        return self.later_scopes.get(item.name, self.scope)

    @property
    def plain_paths(self) -> frozenset[Path]:
        """What of the account's context is no secret."""
        return choose_shown_paths(self.config.plain_paths, self.account.plain_paths)

    @property
    def key_notes(self) -> Sequence[KeyNote]:
        """What must be recorded of keys before the run brings its first record."""
        keeps_ids = self.run.webhook_id is None or self.run.changes_only
        writers = [(item, self.key_of(item)) for item in self.plan.order if item.persist] if keeps_ids else []
        return item_keys.plan_key_notes(writers, self.held_keys)

    def key_of(self, item: ResourceItem) -> RecordKey:
        """Return what an item's records are known by; a transform's are known as those of its origin."""
        if pinned := self.rekeyings.get(item.name):
            return pinned.key
        return item_keys.find_key(item, self.plan, self.config)

    def item_of(self, resource_id: str | None) -> ResourceItem:
        """Find the item that a resource row stands for."""
        name = next(name for name, id in self.resource_ids.items() if id == resource_id)
        return self.items[name]

    def envelope(self, clock: Clock) -> Envelope:
        """Begin an event of this run to its webhook."""
        return envelope_of(self.run, clock)


def envelope_of(run: SyncJobRun, clock: Clock) -> Envelope:
    """Begin an event of a webhook run."""
    assert run.webhook_id is not None
    return Envelope(environment_id=run.environment_id, webhook_id=run.webhook_id, created_at=clock.now())


class RunContexts:
    """Loads what slices need to know."""

    def __init__(
        self,
        *,
        read_rows: Callable[[str], ContextRows | None],
        accounts: Reader[IntegratedAccount],
        note_origins: NoteOrigins,
        integrations: Reader[Integration],
        unified: UnifiedMappings,
    ) -> None:
        """``read_rows`` reads what the context of a run of any environment is made of; None where it was deleted."""
        self._read_rows = read_rows
        self._accounts = accounts
        self._note_origins = note_origins
        self._integrations = integrations
        self._unified = unified

    def load(self, run_id: str) -> RunContext:
        """Read a run's context; raise RunUnworkableError when a part of it is gone."""
        try:
            rows = self._read_rows(run_id)
        except UnreadableSecretError as error:
            raise RunUnworkableError(
                f"a secret of its account or integration can not be read: {error.message}"
            ) from error
        if rows is None:
            raise RunUnworkableError(f"run '{run_id}' was deleted")
        return self._build(rows)

    def preview(self, run: SyncJobRun, bounds: LowerBounds) -> RunContext:
        """Return the context of a run that is not there, and may never be; raise RunUnworkableError."""
        account = self._accounts.get(run.environment_id, run.integrated_account_id)
        integration = self._integrations.get(account.environment_id, account.integration_id) if account else None
        return self._build(
            ContextRows(run=run, resource_ids={}, bounds=bounds, account=account, integration=integration)
        )

    def _build(self, rows: ContextRows) -> RunContext:
        run, account = rows.run, rows.account
        if account is None:
            raise RunUnworkableError(f"integrated account '{run.integrated_account_id}' was deleted")
        items, faults = definition.parse_resources(run.resources)
        if faults:
            raise RunUnworkableError(f"{faults[0].path}: {faults[0].message}")
        config = _read_config(account, rows.integration)
        account = with_origins(account, config, self._note_origins)
        mappings, faults = self._unified.find_all(account, items)
        if faults:
            raise RunUnworkableError(f"{faults[0].path}: {faults[0].message}")
        seen = _build_scope(run, account, choose_shown_paths(config.plain_paths, account.plain_paths))
        return RunContext(
            run=run,
            queue=daemons.name_queue(run.daemon_group_key),
            plan=planning.plan(items),
            items={item.name: item for item in items},
            resource_ids=rows.resource_ids,
            config=config,
            bounds=rows.bounds,
            account=account,
            scope=seen,
            later_scopes={
                name: scope.set_previous_run_date(seen, format_utc_or_none(bound))
                for name, bound in rows.bounds.own.items()
            },
            held_keys={
                resource: HeldKeys(keys=held["keys"], is_noted=held["is_noted"])
                for resource, held in rows.held_keys.items()
            },
            rekeyings={name: Rekeying.from_json(value) for name, value in rows.rekeyings.items()},
            unified={name: account_mapping(mapping, account, config) for name, mapping in mappings.items()},
        )


def _read_config(account: IntegratedAccount, integration: Integration | None) -> IntegrationConfig:
    if integration is None:
        raise RunUnworkableError(f"integration '{account.integration_name}' was deleted")
    config, faults = _parse(apply_override(integration.config, account.integration_override))
    if config is None:
        raise RunUnworkableError(f"integration '{integration.name}': {faults[0].path}: {faults[0].message}")
    return config.restrict_to(integration.origins, integration.override_origins, account.override_origins)


def _parse(raw: JSON) -> tuple[IntegrationConfig | None, Sequence[Failure]]:
    """Read a config, or find it among those read last: runs of one integration share a text of many KiB."""
    text = json.dumps(raw)
    if len(text) > _LONGEST_KEPT_CONFIG:
        return integration_config.parse_config(raw)
    config, faults = _parse_text(text)
    # A copy: a config notes the methods that its run asked for.
    return (config and replace(config)), faults


@functools.lru_cache(maxsize=_KEPT_CONFIGS)
def _parse_text(text: str) -> tuple[IntegrationConfig | None, Sequence[Failure]]:
    config, faults = integration_config.parse_config(json.loads(text))
    return config, tuple(faults)


def _build_scope(run: SyncJobRun, account: IntegratedAccount, plain: frozenset[Path]) -> JsonObject:
    shown = {
        "id": run.id,
        "sync_job_id": run.sync_job_id,
        "started_at": format_utc_or_none(run.started_at),
        "state_key": run.state_key,
    }
    return scope.build_run_scope(
        args=run.args,
        context=redact(account.context, plain),
        tenant_id=account.tenant_id,
        previous_run_date=format_utc_or_none(run.previous_run_date),
        run=shown,
    )
