"""docs/wire.md: each citation of it leads to a section, and its lists of fields are those of the API."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
from marshmallow import Schema

import app.api.schemas
from app.engine.known_keys.of_items import ITEM

PROJECT_ROOT = Path(__file__).parents[2]
PAGE = (PROJECT_ROOT / "docs" / "wire.md").read_text()
CITATION = re.compile(r"docs/wire\.md (?:decision (\d+)|([A-E]\d*))")
NOT_LISTED = {"warnings"}
"""What answers have beside the object itself."""


def sources() -> list[str]:
    """Read all modules of the application."""
    return [path.read_text() for path in (PROJECT_ROOT / "app").rglob("*.py")]


def citations() -> set[tuple[str, str]]:
    """List what the code cites: the number of a decision, or the letter of a section."""
    return {found for source in sources() for found in CITATION.findall(source)}


def fields_of(section: str) -> set[str]:
    """List the fields in the first column of a section's table."""
    text = re.split(r"^##", PAGE.partition(f"### {section}. ")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def schemas() -> dict[str, type[Schema]]:
    """Find the API's schemas by their names."""
    found_modules = walk_packages(app.api.schemas.__path__, "app.api.schemas.")
    modules = [import_module(module.name) for module in found_modules]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return {value.__name__: value for value in found if issubclass(value, Schema)}


def test_every_citation_leads_to_a_section_or_a_decision() -> None:
    sections = set(re.findall(r"^###? ([A-E]\d*)\. ", PAGE, re.MULTILINE))
    decisions = set(re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE))

    cited = citations()

    assert {decision for decision, _ in cited if decision} - decisions == set()
    assert {section for _, section in cited if section} - sections == set()
    assert len(cited) >= 10


def test_page_is_cited_by_its_path_and_with_a_section() -> None:
    mentions = [mention for source in sources() for mention in re.findall(r"\S*wire\.md\W+\w+", source)]

    assert [mention for mention in mentions if not CITATION.search(mention + " ") and "decision" not in mention] == []
    assert [mention for mention in mentions if "docs/wire.md" not in mention] == []


@pytest.mark.parametrize(
    ("section", "schema"),
    [
        ("A1", "Job"),
        ("A3", "Run"),
        ("A4", "Trigger"),
        ("A5", "State"),
        ("A6", "Template"),
        ("A7", "CreatedWebhook"),
        ("A8", "Account"),
        ("A9", "Integration"),
    ],
)
def test_objects_have_the_fields_that_are_listed(section: str, schema: str) -> None:
    assert fields_of(section) == set(schemas()[schema]().fields) - NOT_LISTED


def test_listed_keys_of_items_are_known() -> None:
    assert fields_of("A2") - set(ITEM.keys) == set()
