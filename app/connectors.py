"""Connectors: ready descriptions of third-party APIs, read from a folder and checked whole (docs/connectors.md)."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.engine.errors import FerrymanError
from app.engine.integrations.config import parse_config
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.judging import judge
from app.engine.known_keys.of_integrations import INTEGRATION
from app.engine.known_keys.of_unified import MAPPING
from app.engine.unified.mapping import parse_mapping
from app.engine.unified.model import check_resources

CATALOG: Final = Path(__file__).parent / "catalog"
_SHIPPED: Final = CATALOG / "connectors"


@dataclass(frozen=True, slots=True)
class ConnectorMapping:
    """The mapping of one unified method: the config of a unified-model-resource-method."""

    model: str
    resource: str
    method: str
    config: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """An integration, and how it is mapped to unified models."""

    folder: Path
    integration: JsonObject
    """The body of ``POST /integration``."""
    models: Mapping[str, JsonObject]
    """By name, the bodies of ``POST /unified-model`` that the mappings need."""
    mappings: Sequence[ConnectorMapping]

    @property
    def name(self) -> str:
        """The integration's name."""
        return str(self.integration["name"])


class ConnectorError(FerrymanError):
    """A connector can not be used; ``faults`` are all the reasons, each with its file."""

    code = "connector"

    def __init__(self, what: str, faults: Sequence[str]) -> None:
        self.faults = faults
        super().__init__("\n".join([what, *(f"  {fault}" for fault in faults)]))


def list_shipped() -> Sequence[str]:
    """List the names of the connectors that come with Ferryman."""
    return sorted(path.parent.name for path in _SHIPPED.glob("*/integration.json"))


def load(name_or_folder: str) -> Connector:
    """Read a shipped connector by its name, or another one by its folder; raise ConnectorError with all its faults."""
    folder = _find_folder(name_or_folder)
    faults: list[str] = []
    integration = _read_integration(folder, faults)
    mappings = list(_read_mappings(folder, faults))
    models = {name: _read_model(folder, name, faults) for name in sorted({mapping.model for mapping in mappings})}
    if faults:
        raise ConnectorError(f"the connector in {folder} has faults:", faults)
    return Connector(folder=folder, integration=integration, models=models, mappings=mappings)


def _find_folder(name_or_folder: str) -> Path:
    if name_or_folder in list_shipped():
        return _SHIPPED / name_or_folder
    folder = Path(name_or_folder)
    # Path.is_dir raises for a name that is too long.
    if not os.path.isdir(folder):  # noqa: PTH112
        what = f"'{name_or_folder}' is neither a shipped connector nor a folder"
        raise ConnectorError(what, [f"shipped are: {', '.join(list_shipped())}"])
    return folder


def _read_integration(folder: Path, faults: list[str]) -> JsonObject:
    path = folder / "integration.json"
    integration = _read_object(path, faults)
    if not integration:
        return integration
    if not isinstance(integration.get("name"), str) or not integration["name"]:
        faults.append(f"{path.name}: name: expected the integration's name")
    _, failures = parse_config(integration.get("config"))
    failures += judge(integration.get("config"), INTEGRATION, "config").failures
    faults.extend(f"{path.name}: {failure.path}: {failure.message}" for failure in failures)
    return integration


def _read_mappings(folder: Path, faults: list[str]) -> Iterator[ConnectorMapping]:
    for path in sorted(folder.glob("mappings/*/*.json")):
        place = path.relative_to(folder)
        for method, config in _read_object(path, faults).items():
            _, failures = parse_mapping(config, method, resource=path.stem, method=method)
            failures += judge(config, MAPPING, method).failures
            faults.extend(f"{place}: {failure.path}: {failure.message}" for failure in failures)
            yield ConnectorMapping(path.parent.name, path.stem, method, config if isinstance(config, dict) else {})


def _read_model(folder: Path, name: str, faults: list[str]) -> JsonObject:
    """Read a model from the folder, or else a shipped one."""
    own, common = folder / "models" / f"{name}.json", CATALOG / "models" / f"{name}.json"
    path = own if own.is_file() else common
    if not path.is_file():
        faults.append(f"mappings/{name}: there is no unified model '{name}': add models/{name}.json to the folder")
        return {}
    model = _read_object(path, faults)
    if model and model.get("name") != name:
        faults.append(f"models/{path.name}: name: expected '{name}', as the file is called")
    failures = check_resources(model.get("resources")) if model else []
    faults.extend(f"models/{path.name}: {failure.path}: {failure.message}" for failure in failures)
    return model


def _read_object(path: Path, faults: list[str]) -> JsonObject:
    """Read a JSON object; for anything else, add a fault and return an empty object."""
    try:
        found: JSON = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        faults.append(f"{path.name}: can not be read: {error.strerror}")
        return {}
    except ValueError as error:
        faults.append(f"{path.name}: is not JSON: {error}")
        return {}
    if not isinstance(found, dict) or not found:
        faults.append(f"{path.name}: expected a JSON object")
        return {}
    return found
