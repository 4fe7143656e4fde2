"""A client that openapi-typescript makes of the document is type-checked, and creates, follows and reads a run."""

import json
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.support.ecosystem_tools import NODE_MODULES, node, npm_program, run

_PROGRAM: Final = Path(__file__).with_name("client.ts")
_SETTINGS: Final = {
    "compilerOptions": {
        "strict": True,
        "exactOptionalPropertyTypes": True,
        "target": "es2022",
        "module": "nodenext",
        "types": ["node"],
        "outDir": "built",
    },
    "files": ["client.ts"],
}


@pytest.fixture(scope="module")
def project(document_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the generated types and the program that uses them."""
    place = tmp_path_factory.mktemp("typescript")
    run([npm_program("openapi-typescript"), str(document_file), "--output", "ferryman.ts"], within=place)
    shutil.copy(_PROGRAM, place)
    (place / "tsconfig.json").write_text(json.dumps(_SETTINGS))
    (place / "package.json").write_text(json.dumps({"type": "module"}))
    (place / "node_modules").symlink_to(NODE_MODULES)
    return place


def test_the_types_are_right_and_the_program_reads_its_run(project: Path, access: dict[str, str]) -> None:
    run([npm_program("tsc"), "--project", "."], within=project)

    said = run([node(), "built/client.js"], within=project, environment=access)

    assert json.loads(said) == {
        "status": "completed",
        "error": None,
        "items": [None, "records[admin].{'id': id, 'title': name}"],
        "paging": "cursor",
        "records": [{"id": "1", "title": "Ada"}],
        "refusal": ["sync_job_id"],
    }


def test_a_misspelt_key_of_a_config_is_an_error_of_types(project: Path) -> None:
    (project / "wrong.ts").write_text(
        'import type { components } from "./ferryman.js";\n'
        'export const config: components["schemas"]["IntegrationConfig"] = {\n'
        '  base_url: "https://api.example.com",\n'
        '  pagination: { format: "page", config: { limt: 3 } },\n'
        "};\n"
    )

    with pytest.raises(AssertionError, match="'limt' does not exist"):
        run([npm_program("tsc"), "--strict", "--noEmit", "--skipLibCheck", "wrong.ts"], within=project)
