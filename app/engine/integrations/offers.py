"""What an integration offers: the methods of its config as tools of an AI agent, and what unified models map to it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.engine.integrations.config import IntegrationConfig, MethodConfig
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.unified import model as unified_model

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME: Final = 64
"""What makers of language models take for a tool's name."""
_GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "read": frozenset({"list", "get"}),
    "write": frozenset({"create", "update", "delete"}),
}
_CUSTOM: Final = "custom"
_USUAL_PLACE: Final = {method: place for place, method in enumerate(unified_model.USUAL_METHODS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedModel:
    """A unified model, and those of its methods that are mapped to an integration."""

    id: str
    name: str
    category: str | None
    resources: JsonObject
    methods: Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    """By resource and method; what the mapping says of itself."""
    overridden: frozenset[tuple[str, str]] = frozenset()
    """Those that the environment has laid something over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedMethod:
    """One method of a unified model that can be called."""

    resource: str
    method: str
    description: str | None
    is_overridden: bool
    """An environment or an account has laid something over its mapping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """An integration, as an environment or one of its accounts uses it."""

    integration_id: str
    name: str
    category: str | None = None
    shown_config: JsonObject
    """As it is written, secrets masked."""
    config: IntegrationConfig
    models: Sequence[MappedModel]
    unified_model_override: JsonObject = field(default_factory=dict)
    """An account's own mappings."""
    account: IntegratedAccount | None = None
    """Whose it is; None where it is of the integration itself."""

    @property
    def label(self) -> str:
        """What the integration is called before people."""
        label = self.shown_config.get("label")
        return label if isinstance(label, str) and label else self.name

    def describe_tools(self, *, methods: Collection[str] = (), tags: Collection[str] = ()) -> list[JsonObject]:
        """Describe each method of the config that is one of ``methods`` and has one of ``tags``; none given is all."""
        names: set[str] = set()
        return [
            self._describe_tool(resource, method, names)
            for resource, method in self._list_methods()
            if is_among(method, methods) and (not tags or not set(tags).isdisjoint(self._read_tags(resource)))
        ]

    def list_unified_apis(self) -> list[JsonObject]:
        """List the unified models with the methods of each resource that are mapped."""
        shown = []
        for model in self.models:
            resources: dict[str, JSON] = {}
            for one in self.list_mapped(model):
                resources.setdefault(one.resource, {"methods": []})["methods"].append(one.method)
            if resources:
                about = {"unified_model_id": model.id, "name": model.name, "category": model.category}
                shown.append({**about, "resources": resources})
        return shown

    def _list_methods(self) -> Sequence[tuple[str, str]]:
        """Return resources by name, their usual methods first: since a stored config has no order."""
        return sorted(self.config.methods, key=lambda at: (at[0], _USUAL_PLACE.get(at[1], len(_USUAL_PLACE)), at[1]))

    def _describe_tool(self, resource: str, method: str, names: set[str]) -> JsonObject:
        raw = self.read_raw(resource, method)
        query_schema = _build_query_schema(raw.get("query_schema"), self.config.methods[resource, method])
        body_schema = raw.get("body_schema")
        return {
            "name": _name_tool(f"{method}_{self.name}_{resource}", names),
            "description": raw.get("description") or f"{method} {resource} of {self.label}",
            "resource": resource,
            "method": method,
            "query_schema": query_schema,
            "body_schema": body_schema,
            "required": [*dict.fromkeys((*_list_required(query_schema), *_list_required(body_schema)))],
            "tags": self._read_tags(resource),
        }

    def list_mapped(self, model: MappedModel) -> Iterator[MappedMethod]:
        """Yield the methods of a model that are mapped."""
        override = self.unified_model_override.get(model.name)
        for resource, described in sorted(model.resources.items()):
            changed = override.get(resource) if isinstance(override, dict) else None
            own: JsonObject = changed if isinstance(changed, dict) else {}
            for method in unified_model.list_methods(model.resources, resource) or ():
                if (resource, method) not in model.methods and own.get(method) is None:
                    continue
                description = model.methods.get((resource, method)) or described.get("description")
                is_overridden = (resource, method) in model.overridden or own.get(method) is not None
                yield MappedMethod(
                    resource=resource, method=method, description=description, is_overridden=is_overridden
                )

    def read_raw(self, resource: str, method: str) -> JsonObject:
        """Return a method as it is written."""
        raw: JsonObject = self.shown_config["resources"][resource][method]
        return raw

    def _read_tags(self, resource: str) -> list[str]:
        """Read ``tool_tags``, ``{resource: [tag]}``."""
        tags = self.shown_config.get("tool_tags")
        listed = tags.get(resource) if isinstance(tags, dict) else None
        return [tag for tag in listed if isinstance(tag, str)] if isinstance(listed, list) else []


def is_among(method: str, wanted: Collection[str]) -> bool:
    """Whether a method is wanted: by its name, or as ``read``, ``write`` or ``custom``; nothing wanted is all."""
    group = next((name for name, methods in _GROUPS.items() if method in methods), _CUSTOM)
    return not wanted or method in wanted or group in wanted


def _name_tool(wanted: str, taken: set[str]) -> str:
    plain = _NOT_IN_NAMES.sub("_", wanted)[:_LONGEST_NAME]
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain[: _LONGEST_NAME - len(str(number)) - 1]}_{number}"
    taken.add(name)
    return name


def _build_query_schema(schema: JSON, config: MethodConfig) -> JsonObject:
    """Return the schema of a method's query, with what its path needs; ``id`` is in the URL instead."""
    needed = sorted({"id" for path in config.path.references if path == ("id",)} | config.query_keys_in_path)
    given: JsonObject = schema if isinstance(schema, dict) else {}
    if given and given.get("type") != "object" and not isinstance(given.get("properties"), dict):
        # The short dialect: {name: {type, required, description}}.
        return {**{name: {"type": "string", "required": True} for name in needed}, **given}
    properties, listed = given.get("properties"), given.get("required")
    described: JsonObject = {name: {"type": "string"} for name in needed}
    described |= properties if isinstance(properties, dict) else {}
    required: list[JSON] = [*listed] if isinstance(listed, list) else []
    required += [name for name in needed if name not in required]
    return {**given, "type": "object", "properties": described, **({"required": required} if required else {})}


def _list_required(schema: JSON) -> Iterator[str]:
    """Yield the names that a schema requires, in either dialect."""
    if not isinstance(schema, dict):
        return
    listed = schema.get("required")
    yield from (name for name in listed if isinstance(name, str)) if isinstance(listed, list) else ()
    properties = schema.get("properties") if schema.get("type") == "object" else schema
    for name, described in properties.items() if isinstance(properties, dict) else ():
        if isinstance(described, dict) and described.get("required") is True:
            yield name
