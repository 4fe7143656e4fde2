"""Names in jobs, configs and mappings that their integration does not have: faults where it is a typo, else notes."""

from collections.abc import Callable
from typing import Final

from app.engine.errors import UnreadableSecretError
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.known_keys import placeholder_roots
from app.engine.known_keys.judging import KeyFindings, KeyNote, judge_methods
from app.engine.known_keys.of_integrations import INTEGRATION
from app.engine.known_keys.of_items import ITEMS
from app.engine.known_keys.of_unified import MAPPING, OVERRIDES
from app.engine.known_keys.placeholder_roots import OF_CONFIG, OF_ITEMS, OF_MAPPINGS, Roots, list_context_names
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.services.crud import FindIntegration, Reader

_KEYS: Final = ("mutex_key", "state_key")
_MAPPING_ROOTS: Final = Roots(known=OF_MAPPINGS, context=frozenset())


class KnownNames:
    """Checks the names in what is saved against those of its integration."""

    def __init__(
        self,
        find_integration: FindIntegration,
        effective: Reader[Integration],
        inspect_account: Callable[[EnvironmentId, str], IntegratedAccount | None],
    ) -> None:
        """``effective`` reads integrations as their environment uses them."""
        self._find_integration = find_integration
        self._effective = effective
        self._inspect_account = inspect_account

    def judge_job(
        self, environment_id: EnvironmentId, fields: JsonObject, integration_name: JSON, *, stored: JSON = None
    ) -> KeyFindings:
        """Judge a job's items and keys; ``stored`` items are known. Without an integration little is checked."""
        named = self._find_integration(environment_id, integration_name) if isinstance(integration_name, str) else None
        return _judge_items(fields, self._read_config(environment_id, named.id) if named else None, stored)

    def judge_run(
        self, environment_id: EnvironmentId, fields: JsonObject, account_id: JSON, *, stored: JSON = None
    ) -> KeyFindings:
        """Judge the items and keys of a run, or of a trigger, ``stored`` items being known; most have none."""
        if not any(fields.get(name) for name in ("resources", *_KEYS)):
            return KeyFindings()
        account = self._inspect_account(environment_id, account_id) if isinstance(account_id, str) else None
        below = self._read_config(environment_id, account.integration_id) if account else None
        config = None if account is None or below is None else merge(below, account.integration_override)
        return _judge_items(fields, config, stored)

    def judge_override(
        self, environment_id: EnvironmentId, integration_id: str, override: JSON, path: str
    ) -> KeyFindings:
        """Judge the placeholders of what is laid over an integration's config."""
        return judge_config(override, path, below=self._read_config(environment_id, integration_id))

    def _read_config(self, environment_id: EnvironmentId, integration_id: str) -> JsonObject | None:
        """Return a config as it is used; None where its secrets do not decrypt."""
        try:
            found = self._effective.get(environment_id, integration_id)
        except UnreadableSecretError:
            return None
        return found.config if found else None


def judge_config(config: JSON, path: str = "config", *, below: JsonObject | None = None) -> KeyFindings:
    """Judge the placeholders of an integration's config, or of what is laid over one."""
    whole = merge(below or {}, config) if isinstance(config, dict) else {}
    roots = Roots(known=OF_CONFIG, context=list_context_names(whole))
    return KeyFindings(notes=list(placeholder_roots.find_notes(config, INTEGRATION, path, roots)))


def judge_mapping(config: JSON) -> KeyFindings:
    """Judge the placeholders of a mapping."""
    return KeyFindings(notes=list(placeholder_roots.find_notes(config, MAPPING, "config", _MAPPING_ROOTS)))


def judge_mapping_overrides(override: JSON, path: str) -> KeyFindings:
    """Judge the placeholders of an account's own mappings."""
    return KeyFindings(notes=list(placeholder_roots.find_notes(override, OVERRIDES, path, _MAPPING_ROOTS)))


def _judge_items(fields: JsonObject, config: JsonObject | None, stored: JSON = None) -> KeyFindings:
    roots = Roots(known=OF_ITEMS, context=None if config is None else list_context_names(config))
    items = fields.get("resources")
    found = KeyFindings() if config is None else judge_methods(items, config, "resources", stored=stored)
    found.notes.extend(placeholder_roots.find_notes(items, ITEMS, "resources", roots))
    found.notes.extend(note for name in _KEYS for note in _key_notes(fields.get(name), name, roots))
    return found


def _key_notes(value: JSON, name: str, roots: Roots) -> list[KeyNote]:
    return list(placeholder_roots.check_value(value, name, roots)) if isinstance(value, str) else []
