"""Find the mapping of a unified API's method for an account: base, environment and account in layers."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.engine.errors import Failure, InvalidInputError
from app.engine.integrations.config import IntegrationConfig
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.paths import Path
from app.engine.record_errors import RecordError, SourceError
from app.engine.redaction import choose_shown_paths, redact
from app.engine.unified import mapping as unified_mapping
from app.engine.unified import model
from app.engine.unified.calls import UnifiedRequest, prepare_call
from app.engine.unified.mapping import UnifiedMapping
from app.engine.unified.model import UnifiedName
from app.engine.unified.requests import build_integration_request
from app.services.ports import FetchedPage, PageCall


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMapping:
    """One method of a unified API at one account."""

    mapping: UnifiedMapping
    config: IntegrationConfig
    account: IntegratedAccount = field(repr=False)
    plain_paths: frozenset[Path]
    """What of the account's context is no secret."""
    shown_context: JsonObject = field(repr=False)

    def build_page_call(self, asked: UnifiedRequest, cursor: JsonObject | None) -> PageCall:
        """Turn a unified request into one of the integration's; raise MappingError."""
        call = prepare_call(self.mapping, asked, self.shown_context, monotonic=time.monotonic)
        request = build_integration_request(call)
        return PageCall(
            account_id=self.account.id,
            environment_id=self.account.environment_id,
            integration=self.account.integration_name,
            config=self.config,
            context=self.account.context,
            origins=self.account.origins,
            is_refused=self.account.is_refused,
            plain_paths=self.plain_paths,
            resource=request.resource,
            method=request.method,
            path=request.path,
            id=request.id,
            query=request.query,
            body=request.body,
            headers=request.headers,
            cursor=cursor,
            mapping=call,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingLayers:
    """A unified model and what is configured for one method of it at one integration."""

    resources: JsonObject
    """The model's."""
    base: JsonObject | None
    environment: JsonObject | None


class UnifiedMappings:
    """The unified APIs of an environment."""

    def __init__(self, read_layers: Callable[..., MappingLayers | None]) -> None:
        """``read_layers`` returns what is configured for a method; None when there is no such model."""
        self._read_layers = read_layers

    def find(
        self, account: IntegratedAccount, name: UnifiedName, method: str
    ) -> tuple[UnifiedMapping | None, list[Failure]]:
        """Return a method's mapping for an account; None and the faults when there is none that can be used."""
        layers = self._find_layers(
            account.environment_id, name, method=method, integration_name=account.integration_name
        )
        if reason := _missing_reason(layers, name, method):
            return None, [Failure("resource", reason, missing_reference=True)]
        raw = _merge_layers(layers, _override(account, name, method))
        if raw is None:
            reason = (
                f"Resource {name.resource} not found for integration {account.integration_name}: map its '{method}'"
            )
            return None, [Failure("resource", reason, missing_reference=True)]
        return unified_mapping.parse_mapping(raw, "resource", resource=name.resource, method=method)

    def describe(self, account: IntegratedAccount, name: UnifiedName, method: str) -> JsonObject:
        """Describe a method for an account; raise InvalidInputError when it has no mapping."""
        mapping, faults = self.find(account, name, method)
        layers = self._find_layers(
            account.environment_id, name, method=method, integration_name=account.integration_name
        )
        raw = _merge_layers(layers, _override(account, name, method))
        if mapping is None or layers is None or raw is None:
            raise InvalidInputError(faults)
        described = layers.resources[name.resource]
        return {
            "unified_model": name.model,
            "resource": name.resource,
            "method": method,
            "integration_name": account.integration_name,
            "description": raw.get("description") or described.get("description"),
            "response_schema": described.get("schema"),
            "query_schema": raw.get("query_schema"),
            "request_body_schema": raw.get("request_body_schema"),
            "response_mapping": raw.get("response_mapping"),
            "default_query": raw.get("query"),
            "default_body": raw.get("body"),
            "integration": {
                "resource": mapping.resource if isinstance(mapping.resource, str) else None,
                "method": mapping.method if isinstance(mapping.method, str) else None,
            },
        }

    def find_all(
        self, account: IntegratedAccount, items: Sequence[ResourceItem]
    ) -> tuple[dict[str, UnifiedMapping], list[Failure]]:
        """Return the mappings of all unified items, by the items' names, and the faults of those that have none."""
        found: dict[str, UnifiedMapping] = {}
        failures: list[Failure] = []
        for item in items:
            if name := _unified_name(item):
                mapping, faults = self.find(account, name, item.method)
                failures += [replace(fault, path=f"resources.{item.position}.{fault.path}") for fault in faults]
                if mapping is not None:
                    found[item.name] = mapping
        return found, failures

    def model_failures(self, environment_id: EnvironmentId, items: Sequence[ResourceItem]) -> list[Failure]:
        """Return the faults of items that name a model, a resource or a method which does not exist."""
        failures: list[Failure] = []
        for item in items:
            if name := _unified_name(item):
                layers = self._find_layers(environment_id, name, method=item.method, integration_name="")
                if reason := _missing_reason(layers, name, item.method):
                    at = f"resources.{item.position}.resource"
                    failures.append(Failure(at, reason, missing_reference=True))
        return failures

    def _find_layers(
        self, environment_id: EnvironmentId, name: UnifiedName, *, method: str, integration_name: str
    ) -> MappingLayers | None:
        if not model.are_names(*name, method):
            return None
        return self._read_layers(environment_id, name, method=method, integration_name=integration_name)


def build_account_mapping(
    mapping: UnifiedMapping, account: IntegratedAccount, config: IntegrationConfig
) -> AccountMapping:
    """Return a mapping for the account that it is used for."""
    plain = choose_shown_paths(config.plain_paths, account.plain_paths)
    return AccountMapping(
        mapping=mapping,
        config=config,
        account=account,
        plain_paths=plain,
        shown_context=redact(account.context, plain),
    )


def _unified_name(item: ResourceItem) -> UnifiedName | None:
    return model.parse_unified_name(item.resource) if item.is_request else None


def _missing_reason(layers: MappingLayers | None, name: UnifiedName, method: str) -> str | None:
    if layers is None:
        return f"Unified Model not found: '{name.model[:100]}'"
    methods = model.list_methods(layers.resources, name.resource)
    if methods is None:
        known = ", ".join(sorted(layers.resources)) or "none"
        return f"Resource {name.resource} not found in unified model {name.model}, which has: {known}"
    if method not in methods:
        return f"{name.model}/{name.resource} has no method '{method}': expected one of {', '.join(methods)}"
    return None


def _override(account: IntegratedAccount, name: UnifiedName, method: str) -> JSON:
    found: JSON = account.unified_model_override
    for key in (name.model, name.resource, method):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _merge_layers(layers: MappingLayers | None, override: JSON) -> JSON:
    """Return the layers merged in their order; None when there is none."""
    given = [] if layers is None else [layers.base, layers.environment]
    present = [layer for layer in (*given, override) if layer is not None]
    raw: JSON = {}
    for layer in present:
        raw = merge(raw, layer)
    return raw if present else None


def map_page(call: PageCall | None, page: FetchedPage) -> FetchedPage:
    """Return a page with mapped records; those that can not be mapped are its errors."""
    if call is None or call.mapping is None:
        return page
    key = call.config.find_method(call.resource, call.method).key
    made = call.mapping.map_page(page.records, key, page.headers, has_short_integers=page.has_short_integers)
    return replace(page, records=made.records, errors=made.errors, quarantined=made.quarantined)


def map_error(call: PageCall | None, error: RecordError) -> RecordError:
    """Return an upstream's error as the mapping expresses it, where it does."""
    if call is None or call.mapping is None or not isinstance(error, SourceError):
        return error
    return call.mapping.map_error(error)
