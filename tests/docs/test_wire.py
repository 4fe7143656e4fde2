"""docs/wire.md: each citation of it leads to a section, and its lists of fields are those of the API."""

import re
from pathlib import Path

import pytest
from marshmallow import Schema

from app.api.schemas import catalog, run_states, runs, templates, triggers
from app.engine.known_keys.of_items import ITEM

PROJECT_ROOT = Path(__file__).parents[2]
PAGE = (PROJECT_ROOT / "docs" / "wire.md").read_text()
CITATION = re.compile(r"wire\.md (?:decision (\d+)|([A-E]\d*))")
NOT_LISTED = {"warnings"}
"""What answers have beside the object itself."""


def citations() -> set[tuple[str, str]]:
    """List what the code cites: the number of a decision, or the letter of a section."""
    sources = [path.read_text() for folder in ("app", "tests") for path in (PROJECT_ROOT / folder).rglob("*.py")]
    return {found for source in sources for found in CITATION.findall(source)}


def find_fields(section: str) -> set[str]:
    """List the fields in the first column of a section's table."""
    text = re.split(r"^##", PAGE.partition(f"### {section}. ")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_citation_leads_to_a_section_or_a_decision() -> None:
    sections = set(re.findall(r"^###? ([A-E]\d*)\. ", PAGE, re.MULTILINE))
    decisions = set(re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE))

    cited = citations()

    assert {decision for decision, _ in cited if decision} - decisions == set()
    assert {section for _, section in cited if section} - sections == set()
    assert len(cited) >= 10


@pytest.mark.parametrize(
    ("section", "schema"),
    [
        ("A1", catalog.Job),
        ("A3", runs.Run),
        ("A4", triggers.Trigger),
        ("A5", run_states.State),
        ("A6", templates.Template),
        ("A7", catalog.CreatedWebhook),
        ("A8", catalog.Account),
        ("A9", catalog.Integration),
    ],
)
def test_objects_have_the_fields_that_are_listed(section: str, schema: type[Schema]) -> None:
    assert find_fields(section) == set(schema().fields) - NOT_LISTED


def test_listed_keys_of_items_are_known() -> None:
    assert find_fields("A2") - set(ITEM.keys) == set()
