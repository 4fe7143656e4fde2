"""Send an application what Schemathesis makes of its own ``/openapi.json``, and gather what contradicts it."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from unittest.mock import patch

import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import CheckFailureInfo, CheckNode, Interaction
from schemathesis.generation.case import Case
from schemathesis.transport.wsgi import WSGITransport

from app.engine.ids import new_id
from tests.integration.api.documents import fuzz_mistakes, fuzz_refusals

_PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")
_SHOWN: Final = 2000
_REFUSALS: Final = {"positive_data_acceptance": 400, "ensure_resource_availability": 404}
"""What a check takes for a fault, and a refusal may be: a 404 with faults is about what the body refers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is tried of what chance makes; the same seed makes the same requests."""

    examples: int
    """Of each operation."""
    sequences: int
    """Of operations that go on with what those before have answered."""
    boundaries: str = ".*"
    """The operations, by a pattern of their labels, of which each value at a boundary is sent."""
    seed: int = 20260101


@dataclass
class Findings:
    """What contradicts the document, and how often each operation gave a status."""

    faults: dict[str, str] = field(default_factory=dict)
    """The first of each kind, by its phase, operation and check."""
    statuses: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """By phase and operation."""

    def take(self, event: events.EngineEvent) -> None:
        """Receive an event of the engine."""
        match event:
            case events.ScenarioFinished():
                self._take_scenario(event)
            case events.NonFatalError():
                self.faults.setdefault(f"{event.label}: error", f"{event.info.title}: {event.info.message}")
            case events.FatalError():
                self.faults["fatal"] = repr(event.exception)
            case events.SchemaAnalysisWarnings(warnings=warnings):
                self.faults |= {f"warning {number}": repr(one) for number, one in enumerate(warnings)}

    def _take_scenario(self, event: events.ScenarioFinished) -> None:
        recorder, phase = event.recorder, event.phase.value
        labels = {case_id: node.value.operation.label for case_id, node in recorder.cases.items()}
        for case_id, interaction in recorder.interactions.items():
            if interaction.response is not None and case_id in labels:
                self.statuses[phase, labels[case_id], interaction.response.status_code] += 1
        for case_id, checks in recorder.checks.items():
            interaction = recorder.interactions.get(case_id)
            for check in checks:
                if check.status == Status.SUCCESS or _is_expected(check, interaction):
                    continue
                case, others = recorder.cases[case_id].value, recorder.interactions.values()
                if interaction is None or not fuzz_mistakes.is_mistake(check, case, interaction, others):
                    name = f"{phase}: {labels.get(case_id)}: {check.name}"
                    self.faults.setdefault(name, _told(check.failure_info, interaction))


def fuzz(app: Flask, *, token: str, token_id: str, effort: Effort) -> Findings:
    """Run every phase with every check, as the holder of a token that is not to end itself."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=_config(token, effort))
    findings = Findings()
    with patch.object(WSGITransport, "send", _in_process(WSGITransport.send, token_id)):
        for event in from_schema(schema).execute():
            findings.take(event)
    return findings


def _config(token: str, effort: Effort) -> SchemathesisConfig:
    generated = {"max-examples": effort.examples, "deterministic": True, "database": "none", "no-shrink": True}
    # Only what is accepted leads on to the next step; what is refused, the other phases send.
    chained = {**generated, "max-examples": effort.sequences, "mode": "positive"}
    phases = {name: {"enabled": True} for name in _PHASES}
    config = {
        "seed": effort.seed,
        "auth": {"openapi": {"bearer": {"bearer": token}}},
        "generation": {**generated, "with-security-parameters": False},
        "phases": {**phases, "stateful": {"enabled": True, "generation": chained}},
        "operations": [
            {"exclude-name-regex": effort.boundaries, "phases": {"coverage": {"enabled": False}}},
        ],
        "continue-on-failure": True,
        "suppress-health-check": ["all"],
    }
    return SchemathesisConfig.from_dict(config)


def _in_process(send: Callable[..., Response], token_id: str) -> Callable[..., Response]:
    """Spare the token, and what only sockets need: Schemathesis hands it to Werkzeug when it tries without a token."""

    def sent(transport: WSGITransport, case: Case, **options: Any) -> Response:
        if case.method == "DELETE" and (case.path_parameters or {}).get("id") == token_id:
            case.path_parameters["id"] = new_id()
        for name in ("max_redirects", "verify", "cert", "proxies"):
            options.pop(name, None)
        return send(transport, case, **options)

    return sent


def _is_expected(check: CheckNode, interaction: Interaction | None) -> bool:
    """Whether a request was refused for a reason that the document can not express."""
    answer = interaction.response if interaction is not None else None
    if answer is None:
        return False
    if answer.status_code == HTTPStatus.PRECONDITION_FAILED:
        # Chance knows no ETag, and what is outdated is not looked at any further.
        return check.name in ("positive_data_acceptance", "negative_data_rejection")
    return answer.status_code == _REFUSALS.get(check.name) and fuzz_refusals.is_expected(json.loads(answer.content))


def _told(info: CheckFailureInfo | None, interaction: Interaction | None) -> str:
    answer = interaction.response if interaction is not None else None
    seen = f"{answer.status_code} {answer.content[:_SHOWN]!r}" if answer is not None else "no answer"
    found = f"{info.failure.title}: {info.failure.message}\n{info.code_sample[:_SHOWN]}" if info is not None else ""
    return f"{found}\n{seen}"
