"""What can be called of an integration or an account, in the shape that the compatible API publishes."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.engine.config import non_secrets
from app.engine.integrations.offers import MappedModel, Offering, is_among
from app.engine.json_types import JSON, JsonObject
from app.engine.status import AccountStatus

_FIELD: Final = ("name", "label", "type", "required", "format", "placeholder", "help_text")
_FORMAT: Final = "format"


class Surface(StrEnum):
    """Which capabilities are listed."""

    ALL = "all"
    PROXY = "proxy"
    UNIFIED = "unified"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityFilter:
    """Which capabilities are wanted."""

    surface: Surface = Surface.ALL
    methods: Collection[str] = ()
    """Names of methods, or ``read``, ``write``, ``custom``; none is every one."""
    resource: str | None = None
    is_described: bool = False
    """Methods of the config that describe themselves, and no others."""


def describe_capabilities(offering: Offering, wanted: CapabilityFilter) -> JsonObject:
    """Describe what can be called, filtered; the readiness for agents counts every method."""
    account = offering.account
    integration = {"id": offering.integration_id, "name": offering.name, "label": offering.label}
    shown: JsonObject = {
        "integration": {**integration, "category": offering.category},
        "proxy": [] if wanted.surface is Surface.UNIFIED else _describe_proxy(offering, wanted),
        "unified": [] if wanted.surface is Surface.PROXY else list(_describe_unified(offering, wanted)),
        "auth": _describe_auth(offering.shown_config.get("credentials")),
        "ai_readiness": _rate_readiness(offering),
    }
    if account is not None:
        shown["environment_id"] = account.environment_id
        shown["account"] = {
            "id": account.id,
            "status": account.status,
            "authentication_method": account.authentication_method,
            "is_blocked": account.status == AccountStatus.INACTIVE,
        }
    return shown


def _describe_proxy(offering: Offering, wanted: CapabilityFilter) -> list[JSON]:
    resources: dict[str, list[JSON]] = {}
    for tool in offering.describe_tools(methods=wanted.methods):
        resource, method = tool["resource"], tool["method"]
        description = _text_or_none(offering.read_raw(resource, method).get("description"))
        if wanted.resource in (None, resource) and (description or not wanted.is_described):
            resources.setdefault(resource, []).append(_describe_method(offering, tool, description))
    return [{"resource": resource, "methods": methods} for resource, methods in resources.items()]


def _describe_method(offering: Offering, tool: JsonObject, description: str | None) -> JsonObject:
    raw = offering.read_raw(tool["resource"], tool["method"])
    return {
        "method": tool["method"],
        "name": tool["name"],
        "description": description,
        "has_description": description is not None,
        "has_query_schema": bool(raw.get("query_schema")),
        "has_body_schema": bool(raw.get("body_schema")),
        "has_response_schema": bool(raw.get("response_schema")),
        "api_documentation_url": _text_or_none(raw.get("api_documentation_url")),
    }


def _describe_unified(offering: Offering, wanted: CapabilityFilter) -> Iterator[JsonObject]:
    for model in offering.models:
        resources: dict[str, JsonObject] = {}
        for one in offering.list_mapped(model):
            if wanted.resource in (None, one.resource) and is_among(one.method, wanted.methods):
                shown = resources.setdefault(one.resource, _describe_resource(offering, model, one.resource))
                shown["methods"].append(one.method)
                if "env_overridden" in shown:
                    shown["env_overridden"] |= one.is_overridden
        yield from resources.values()


def _describe_resource(offering: Offering, model: MappedModel, resource: str) -> JsonObject:
    about = model.resources.get(resource)
    shown: JsonObject = {
        "model": model.name,
        "model_label": model.name,
        "resource": resource,
        "description": _text_or_none(about.get("description")) if isinstance(about, dict) else None,
        "docs_url": None,
        "methods": [],
    }
    # What an environment changes is its accounts' matter.
    return shown if offering.account is None else {**shown, "env_overridden": False}


def _describe_auth(credentials: JSON) -> JsonObject:
    fields = [
        {name: field[name] for name in _FIELD if name in field} for field in non_secrets.list_form_fields(credentials)
    ]
    shown: JsonObject = {
        "formats": list(_list_formats(credentials)),
        "fields": [{"label": field["name"], "type": "text", "required": False, **field} for field in fields],
    }
    link = next(
        (
            link
            for form in non_secrets.list_forms(credentials)
            if (link := _text_or_none(form.get("documentation_link")))
        ),
        None,
    )
    return shown if link is None else {**shown, "documentation_link": link}


def _list_formats(credentials: JSON) -> Iterator[str]:
    if not isinstance(credentials, dict):
        return
    if _FORMAT in credentials:
        yield from [credentials[_FORMAT]] if isinstance(credentials[_FORMAT], str) else []
    else:
        yield from credentials


def _rate_readiness(offering: Offering) -> JsonObject:
    described = [_text_or_none(offering.read_raw(*at).get("description")) is not None for at in offering.config.methods]
    count, described_count = len(described), sum(described)
    return {
        "proxy_methods": count,
        "proxy_methods_with_descriptions": described_count,
        "ai_ready_score": round(described_count / count, 2) if count else 0.0,
    }


def _text_or_none(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None
