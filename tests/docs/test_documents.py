"""What the documents say is still true: their links lead somewhere, and their lists are whole."""

import re
import tomllib
from pathlib import Path

import pytest

from app.engine.status import RunStatus
from app.settings import Settings

PROJECT_ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(PROJECT_ROOT.glob("*.md")), *sorted((PROJECT_ROOT / "docs").rglob("*.md"))]
REQUIRED = {"database_url": "DATABASE_URL", "broker_url": "BROKER_URL"}


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT_ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())

    missing = [target for target in targets if "://" not in target and not (document.parent / target).exists()]
    assert missing == []


def test_links_of_readme_lead_to_headings() -> None:
    """README alone is no page of the site, whose build looks at all others."""
    links = re.findall(r"\]\((docs/[\w-]+\.md)#([\w-]+)\)", (PROJECT_ROOT / "README.md").read_text())

    headings = {path: re.findall(r"^#+ (.+)$", (PROJECT_ROOT / path).read_text(), re.MULTILINE) for path, _ in links}
    slugs = {
        path: [re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings[path]] for path in headings
    }
    assert [(path, anchor) for path, anchor in links if anchor not in slugs[path]] == []
    assert links


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_named_files_exist(document: Path) -> None:
    named = re.findall(r"`((?:app|workers|bench|docs|tests)/[\w./-]+)`", document.read_text())

    assert [name for name in named if not (PROJECT_ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_named_targets_of_make_exist(document: Path) -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE)

    named = re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text(), re.MULTILINE)
    assert set(named) - set(targets) == set()


def test_one_version_is_told_everywhere() -> None:
    version = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert re.findall(r"^## \[(.+?)\] - \d{4}-\d\d-\d\d$", changelog(), re.MULTILINE)[0] == version
    assert f"ferryman-{version}-py3-none-any.whl" in (PROJECT_ROOT / "README.md").read_text()
    assert f"image: ferryman:{version}\n" in (PROJECT_ROOT / "docker-compose.yml").read_text()


def test_changelog_is_in_releases_and_kinds_of_change() -> None:
    _, *releases = re.split(r"^## ", changelog(), flags=re.MULTILINE)
    kinds = [re.findall(r"^### (.+)$", release, re.MULTILINE) for release in releases]

    allowed = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    assert [found for found in kinds if not found or found != [kind for kind in allowed if kind in found]] == []


def test_image_is_made_of_what_dockerignore_lets_through() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (PROJECT_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    let_through = re.findall(r"^!(.+)$", (PROJECT_ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert sorted(" ".join(copied).split()) == sorted(let_through)
    assert [name for name in let_through if not (PROJECT_ROOT / name).exists()] == []


def test_settings_page_and_dotenv_sample_list_every_setting_with_its_default() -> None:
    page = (PROJECT_ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^`|]+?)`? \|", page, re.MULTILINE))
    expected = {
        REQUIRED.get(name, f"FERRYMAN_{name.upper()}"): field.default
        for name, field in Settings.__dataclass_fields__.items()
    }

    assert rows.keys() == expected.keys()
    differing = {name: row for name, row in rows.items() if row != "required" and not _says(row, expected[name])}
    assert differing == {}


def test_compose_gives_the_settings_of_dotenv_to_every_process_of_ours() -> None:
    compose = (PROJECT_ROOT / "docker-compose.yml").read_text()
    ours = compose.partition("x-ferryman: &ferryman\n")[2].partition("\n\n")[0]

    assert "  env_file: [{path: .env, required: false}]\n" in ours
    assert re.findall(r"^  ([a-z-]+):\n    <<: \*ferryman$", compose, re.MULTILINE) == [
        *("migrate", "api", "daemon-default", "flower"),
    ]


def test_compose_gives_flower_the_broker_alone() -> None:
    compose = (PROJECT_ROOT / "docker-compose.yml").read_text()
    flower = compose.partition("\n  flower:\n")[2].partition("\n\n")[0]
    environment = flower.partition("    environment:\n")[2].partition("    ports:")[0]

    assert "    env_file: []\n" in flower
    assert re.findall(r"^      (\w+):", environment, re.MULTILINE) == [
        *("BROKER_URL", "FERRYMAN_MESSAGE_KEY", "FLOWER_BASIC_AUTH"),
    ]


def test_life_of_a_run_names_every_status() -> None:
    page = (PROJECT_ROOT / "docs" / "run-lifecycle.md").read_text()

    assert [status for status in RunStatus if status not in page] == []


def changelog() -> str:
    return (PROJECT_ROOT / "CHANGELOG.md").read_text()


def _says(row: str, default: object) -> bool:
    return float(row) == default if isinstance(default, int | float) else row == (default or "empty")
