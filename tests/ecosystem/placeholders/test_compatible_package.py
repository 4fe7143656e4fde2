"""Placeholders beside the compatible package itself: thousands of templates, and all that is known to differ."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.engine.json_types import JSON, JsonObject
from tests.support import placeholder_answers
from tests.support.debian import need
from tests.support.ecosystem_tools import NODE_MODULES, node
from tests.support.placeholder_cases import CONTEXT

PACKAGE = "@truto/replace-placeholders"
SCRIPT = Path(__file__).parent / "answers.mjs"


def asked(cases: Sequence[tuple[JSON, JsonObject]]) -> list[JsonObject]:
    """Ask the package what it makes of templates."""
    program, found = node(), NODE_MODULES / PACKAGE
    need(str(found) if found.exists() else None, package=PACKAGE, install="make ecosystem-tools")
    given = json.dumps({"cases": [{"template": template, "context": context} for template, context in cases]})
    done = subprocess.run(
        [program, str(SCRIPT), str(NODE_MODULES.parent)], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_kept_answers_are_the_packages() -> None:
    cases = [(template, CONTEXT) for template in placeholder_answers.templates()]

    assert asked(cases) == placeholder_answers.kept_answers()


def test_what_differs_is_done_by_the_package_as_it_is_said() -> None:
    known = placeholder_answers.differences()

    assert asked([(one.template, one.context) for one in known]) == [one.theirs for one in known]


@pytest.mark.parametrize("seed", range(3))
def test_other_templates_become_the_same(seed: int) -> None:
    templates = placeholder_answers.templates(seed, 4000)

    found, _ = placeholder_answers.unlike(templates, asked([(template, CONTEXT) for template in templates]))
    assert found == []
