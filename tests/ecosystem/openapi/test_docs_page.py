"""``/docs`` in a browser: descriptions, examples and the filter are there, it calls the API, and nothing complains."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.json_types import JsonObject
from app.stack.stack import Stack
from tests.support.debian import need
from tests.support.ecosystem_tools import NODE_MODULES, node, run
from tests.support.prefix_proxy import prefix_proxy

_PACKAGE = "chromium-headless-shell"
_TRIED_IN_VAIN = "warning: Could not find component: JsonSchema_string_"
"""Swagger UI looks for a field of each format, and takes that of texts where it has none."""
_PROGRAM = Path(__file__).with_name("docs_page.mjs")


@pytest.fixture(scope="module")
def browser() -> str:
    """Debian's browser without a window."""
    program = next(filter(None, map(shutil.which, (_PACKAGE, "chromium"))), None)
    need(program, package=_PACKAGE)
    return str(program)


@pytest.fixture(params=["", "/apis/ferryman"], ids=["at the root", "below a prefix"])
def address(request: pytest.FixtureRequest, ferryman: Stack) -> Iterator[str]:
    """Where readers find the API."""
    if not request.param:
        yield ferryman.api_url
        return
    with prefix_proxy(ferryman.api_url, request.param) as url:
        yield url


@pytest.fixture
def page(address: str, browser: str, access: dict[str, str], tmp_path: Path) -> JsonObject:
    """What was seen on the page."""
    package = NODE_MODULES / "playwright-core"
    need(str(package) if package.exists() else None, package=package.name, install="make ecosystem-tools")
    shutil.copy(_PROGRAM, tmp_path)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    told = run([node(), _PROGRAM.name, browser, f"{address}/docs", access["FERRYMAN_TOKEN"]], within=tmp_path)
    seen: JsonObject = json.loads(told)
    return seen


def test_page_shows_the_document_and_calls_the_api(page: JsonObject, address: str, document_file: Path) -> None:
    paths = json.loads(document_file.read_text())["paths"]

    assert [one for one in page["complaints"] if not one.startswith(_TRIED_IN_VAIN)] == []
    assert page["outside"] == []
    assert "Ferryman" in page["title"]
    assert "POST /sync-job-run" in page["description"]
    assert all(page["tags"])
    assert page["servers"] == [address]
    assert page["operations"] == page["summaries"] == sum(len(one.keys() - {"parameters"}) for one in paths.values())
    assert page["byPath"] == ["/sync-job-run/{id}/resume"]
    assert page["byId"] == ["/sync-job-run", "/sync-job-run-state"]
    assert "role" in page["operation"]
    assert "sync_job_id" in page["request"]
    assert '"status": "created"' in page["answer"]
    assert (page["called"].partition("?")[0], page["status"]) == (f"{address}/sync-job", "200")
