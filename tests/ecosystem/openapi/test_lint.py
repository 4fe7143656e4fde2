"""``/openapi.json`` passes the linters that others hold documents to, with all that they recommend."""

import json
import re
from pathlib import Path
from typing import Final

from tests.support.ecosystem_tools import npm_program, python_tool, run

_ALLOWED: Final[dict[str, str]] = {}
"""Rules that the document breaks on purpose, each with the reason."""


def test_the_validator_finds_no_fault(document_file: Path) -> None:
    said = run([python_tool("openapi-spec-validator"), document_file.name], within=document_file.parent)

    assert re.search(r"openapi\.json: OK", said), said


def test_redocly_finds_nothing(document_file: Path) -> None:
    command = [npm_program("redocly"), "lint", document_file.name, "--extends", "recommended", "--format", "json"]

    said = run(command, within=document_file.parent, environment={"REDOCLY_TELEMETRY": "off"})

    found = json.loads(said[said.index("{") : said.rindex("}") + 1])["problems"]
    assert [one for one in found if one["ruleId"] not in _ALLOWED] == []


def test_spectral_finds_nothing(document_file: Path) -> None:
    (document_file.parent / "rules.json").write_text(json.dumps({"extends": [["spectral:oas", "recommended"]]}))
    command = [npm_program("spectral"), "lint", document_file.name, "--ruleset", "rules.json", "--format", "json"]

    said = run([*command, "--quiet"], within=document_file.parent)

    found = json.loads(said[said.index("[") : said.rindex("]") + 1])
    assert [one for one in found if one["code"] not in _ALLOWED] == []
