"""No function, module or folder grows beyond what can be read at once, but for what is listed here."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MOST_LINES_OF_FUNCTION: Final = 40
MOST_LINES_OF_MODULE: Final = 300
MOST_MODULES: Final = 20
MOST_ROLES: Final = 45

LONG_FUNCTIONS: Final = {
    # Migrations are history: one that was released is never changed.
    "app/store/migrations/versions/0001_first_schema.py: upgrade",
    "app/store/migrations/versions/0003_whole_surface.py: _add_unified_models",
    "app/store/migrations/versions/0022_schemas.py: upgrade",
}
LONG_MODULES: Final = {
    # As above.
    "app/store/migrations/versions/0001_first_schema.py",
}
LARGE_FOLDERS: Final = {
    # One file per change of the schema, for ever.
    "app/store/migrations/versions",
}


def modules() -> Iterator[Path]:
    for root in ("app", "workers"):
        yield from sorted((ROOT / root).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_function_is_long() -> None:
    long = {
        f"{name_of(path)}: {node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MOST_LINES_OF_FUNCTION
    }

    assert long == LONG_FUNCTIONS


def test_no_module_is_long() -> None:
    long = {name_of(path) for path in modules() if len(path.read_text().splitlines()) > MOST_LINES_OF_MODULE}

    assert long == LONG_MODULES


def test_no_folder_holds_many_modules() -> None:
    folders = Counter(name_of(path.parent) for path in modules() if path.name != "__init__.py")

    assert {folder for folder, count in folders.items() if count > MOST_MODULES} <= LARGE_FOLDERS


def test_roles_are_few() -> None:
    """A Protocol is worth its place where two real classes have its role, or a fake serves many tests."""
    roles = [
        f"{name_of(path)}: {node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
    ]

    assert len(roles) <= MOST_ROLES, roles
