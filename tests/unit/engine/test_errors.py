import re
from types import ModuleType

from app.engine import errors, record_errors
from app.engine.errors import FerrymanError, NotFoundError
from app.engine.record_errors import DeletedWhenError, MappingError

LINE = re.compile(r"^((?:│   |    )*)(?:├── |└── )?(\w+Error)\b")


def drawn_parents() -> dict[str, str | None]:
    parents: dict[str, str | None] = {}
    trail: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := LINE.match(line):
            depth = 0 if line.startswith("FerrymanError") else len(found[1]) // 4 + 1
            del trail[depth:]
            parents[found[2]] = trail[-1] if trail else None
            trail.append(found[2])
    return parents


def classes_of(module: ModuleType) -> list[type[FerrymanError]]:
    found = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    return [one for one in found if issubclass(one, FerrymanError)]


def test_tree_in_the_docstring_is_that_of_the_classes() -> None:
    classes = [*classes_of(errors), *classes_of(record_errors)]

    parents = {one.__name__: None if one is FerrymanError else one.__bases__[0].__name__ for one in classes}

    assert drawn_parents() == parents


def test_first_line_of_the_docstring_is_the_default_message() -> None:
    assert FerrymanError().message == "Something went wrong in Ferryman."
    assert NotFoundError("webhook", "w").message == "webhook 'w' does not exist"


def test_error_of_a_record_names_it_where_its_id_is_known() -> None:
    assert MappingError("body", "is bad", record_id="7").message == "body of record '7': is bad"
    assert DeletedWhenError("is bad").message == "deleted_when: is bad"
