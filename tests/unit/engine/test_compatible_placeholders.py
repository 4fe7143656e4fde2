"""Placeholders beside @truto/replace-placeholders 1.0.11, by answers of it that are kept."""

from pathlib import Path

import pytest

from tests.support import placeholder_answers
from tests.support.placeholder_answers import Difference, answer_of

DIFFERENCES = placeholder_answers.differences()
DOCUMENT = Path(__file__).parents[3] / "docs" / "placeholders.md"


def test_templates_by_chance_become_what_the_compatible_package_makes_of_them() -> None:
    found, kinds = placeholder_answers.unlike(placeholder_answers.templates(), placeholder_answers.kept_answers())

    assert found == []
    assert kinds["same"] > placeholder_answers.CASES * 0.8


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one.why)
def test_what_differs_on_purpose_does_so(difference: Difference) -> None:
    ours = answer_of(difference.template, difference.context)

    assert ours == difference.ours
    assert ours != difference.theirs


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one.why)
def test_what_differs_is_documented(difference: Difference) -> None:
    assert difference.why in DOCUMENT.read_text(encoding="utf-8")
