"""The site: its pages are found, its diagrams say what the code says, its rooms and words are those of the code."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.engine.status import RunStatus, UnitStatus, allowed_origins
from docs.diagrams.draw import draw_all
from tests.support.patience import LONGEST_SECONDS

PROJECT_ROOT = Path(__file__).parents[2]
DOCS = PROJECT_ROOT / "docs"
LAYERED = ["app/engine", "app/services", "app/store", "app/sources", "app/api", "app/cli"]
BESIDE = ["workers", "bench"]
SVG = "{http://www.w3.org/2000/svg}"


def read(page: str) -> str:
    return (DOCS / page).read_text()


def folders(place: str) -> set[str]:
    return {
        f"{place}/{path.name}" for path in (PROJECT_ROOT / place).iterdir() if path.is_dir() and path.name[0] != "_"
    }


def texts(diagram: str) -> list[str]:
    """List the texts of a diagram, from top to bottom and from left to right."""
    found = ElementTree.parse(DOCS / "diagrams" / diagram).iter(f"{SVG}text")
    ordered = sorted(found, key=lambda text: (float(text.attrib["y"]), float(text.attrib["x"])))
    return ["".join(text.itertext()) for text in ordered]


def test_home_page_names_every_page() -> None:
    named = set(re.findall(r"\]\(([\w-]+\.md)\)", read("index.md")))

    assert named == {path.name for path in DOCS.glob("*.md")} - {"index.md"}


def test_architecture_says_a_line_of_every_room() -> None:
    rooms = re.findall(r"^\| `([\w/]+)` \| .+ \| .+ \|$", read("architecture.md"), re.MULTILINE)

    expected = folders("app").difference(LAYERED).union(*map(folders, LAYERED), BESIDE)
    assert sorted(rooms) == sorted(expected)


def test_diagrams_are_as_they_are_drawn_now() -> None:
    """``python docs/diagrams/draw.py`` draws them anew, such as after a change of the layers."""
    assert {path.name: path.read_text() for path in (DOCS / "diagrams").glob("*.svg")} == draw_all()


@pytest.mark.parametrize(("diagram", "statuses"), [("run-states.svg", RunStatus), ("unit-states.svg", UnitStatus)])
def test_diagram_of_states_has_the_moves_that_are_allowed(diagram: str, statuses: type[RunStatus]) -> None:
    paths = ElementTree.parse(DOCS / "diagrams" / diagram).iter(f"{SVG}path")
    drawn = [move for path in paths for move in path.get("data-moves", "").split()]

    assert sorted(drawn) == sorted(f"{origin}>{target}" for target in statuses for origin in allowed_origins(target))


def test_diagram_of_a_unit_has_every_status() -> None:
    assert set(UnitStatus) - set(texts("unit-states.svg")) == set()


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_diagrams_are_files_beside_the_page(page: Path) -> None:
    images = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text())

    assert [image for image in images if not (DOCS / image).is_file()] == []


def test_words_of_the_glossary_have_one_row_each_and_names_that_exist() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \| [^|]+ \|$", read("glossary.md"), re.MULTILINE)
    words = [word for word, _ in rows if word not in ("word", "---")]
    names = {name for _, cell in rows for name in re.findall(r"`([\w/.]+)`", cell)}
    sources = "\n".join(
        path.read_text() for place in ("app", "workers") for path in (PROJECT_ROOT / place).rglob("*.py")
    )
    classes = set(re.findall(r"^class (\w+)", sources, re.MULTILINE))

    assert sorted(set(words)) == sorted(words)
    unknown = {name for name in names if not (PROJECT_ROOT / name).exists()} - classes
    assert {name for name in unknown if not re.search(rf"\b{name}\b", sources) or name[0].isupper()} == set()
    assert len(words) >= 50


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as ``make check-static`` builds it."""
    place = tmp_path_factory.mktemp("site")
    mkdocs = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(place)]
    subprocess.run(
        mkdocs, cwd=PROJECT_ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=True, timeout=LONGEST_SECONDS
    )
    return place


def test_site_loads_nothing_from_another_host(site: Path) -> None:
    pages = [page.read_text() for page in site.rglob("*.html")]
    loaded = [
        found for page in pages for found in re.findall(r"<(?:script|link|img|iframe)\b[^>]*https?://[^>]*>", page)
    ]

    assert len(pages) >= len(list(DOCS.rglob("*.md")))
    assert loaded == []


def test_every_fence_and_table_of_the_site_is_read_as_one(site: Path) -> None:
    pages = {
        str(page): re.sub(r"<(pre|code)\b.*?</\1>", "", page.read_text(), flags=re.DOTALL)
        for page in site.rglob("*.html")
    }

    assert [name for name, page in pages.items() if re.search(r"```|\| ?-{3}", page)] == []


def test_pictures_are_small_and_each_is_shown() -> None:
    """``make pictures`` takes them; an ecosystem test fails when the page of one is gone."""
    pictures = sorted((DOCS / "images").iterdir())
    written = "".join(path.read_text() for path in [PROJECT_ROOT / "README.md", *DOCS.glob("*.md")])

    assert pictures
    assert [one.name for one in pictures if one.stat().st_size > 120_000] == []
    assert [one.name for one in pictures if f"images/{one.name})" not in written] == []
