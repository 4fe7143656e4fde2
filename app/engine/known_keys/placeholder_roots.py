"""Placeholders that begin with a name that nothing is known for, such as ``{{arg.x}}`` and ``{{tokn}}``.

An account's context stands at the top of every scope too, so that such a name may be of a context that is yet to come:
it is only worth a warning.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Final

from app.engine.config import non_secrets
from app.engine.errors import InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.judging import KeyNote, WarningCode
from app.engine.known_keys.shapes import Leaf, Shape, Use, holds_placeholders, walk_leaves
from app.engine.known_keys.suggestions import find_closest
from app.engine.paths import Path
from app.engine.templating import placeholders

_CONTEXT: Final = "context"
_USUAL_CONTEXT: Final = frozenset(
    {"access_token", "api_key", "api_token", "client_id", "client_secret", "oauth", "password", "refresh_token"}
    | {"token", "username"}
)
"""What accounts of many integrations have, even where no form asks for it."""
_CODE: Final = frozenset({"query"})
"""Keys whose texts are JSONata; objects hold placeholders."""


_SENT: Final = frozenset({"query", "body", "headers"})
"""Keys whose values are left out if they are undefined: paths and addresses have rules of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """What placeholders may begin with in one place."""

    known: Set[str]
    context: Set[str] | None = None
    """The keys of accounts' contexts; None where any name may be one."""

    def find_note(self, reference: Path, path: str) -> KeyNote | None:
        """Return the warning of a placeholder; None where its root is known."""
        root = reference[0]
        if root in self.known or root in (self.context or ()):
            return None
        close = find_closest(root, [*self.known, *(self.context or ())])
        if self.context is None and close is None:
            return None
        hint = f"did you mean '{close}'?" if close else f"a value of the account's context is '{_CONTEXT}.{root}'"
        message = (
            f"the placeholder '{'.'.join(reference)}' begins with none of {', '.join(sorted(self.known))}, nor with a "
            f"field that the integration's credentials ask for: {hint}"
        )
        return KeyNote(code=WarningCode.UNKNOWN_PLACEHOLDER, path=path, message=message)


OF_CONFIG: Final = frozenset({"id", "query", "body", "part", _CONTEXT, "credentials"})
OF_ITEMS: Final = frozenset({"args", "resources", "sync_job_run", "tenant_id", "previous_run_date", _CONTEXT})
OF_MAPPINGS: Final = frozenset({"id", "query", "rawQuery", "body", _CONTEXT})


def list_context_names(config: JsonObject) -> frozenset[str]:
    """List the keys that the contexts of an integration's accounts are known to have."""
    asked = {field["name"] for field in non_secrets.list_form_fields(config.get("credentials"))}
    return frozenset(asked | {path[0] for path in non_secrets.read_plain_paths(config)} | _USUAL_CONTEXT)


def find_notes(value: JSON, shape: Shape, path: str, roots: Roots) -> Iterator[KeyNote]:
    """Yield the warnings of the placeholders in a configured value."""
    for leaf in walk_leaves(value, shape, path):
        if _is_template(leaf):
            yield from check_value(leaf.value, leaf.path, roots)
            yield from _find_unfilled(leaf)


def _find_unfilled(leaf: Leaf) -> Iterator[KeyNote]:
    """Yield a warning of each text that is sent without what one of its placeholders stands for."""
    if leaf.name not in _SENT:
        return
    try:
        unfilled = placeholders.parse(leaf.value).unfilled
    except InvalidInputError:
        return
    for source in sorted(unfilled):
        message = (
            f"where '{{{{{source}}}}}' has no value, the rest of its text is sent without it: write the whole in "
            f"JSONata, such as {{'filter': previous_run_date ? 'updated > ' & previous_run_date}}"
        )
        yield KeyNote(code=WarningCode.UNFILLED_TEXT, path=leaf.path, message=message)


def check_value(value: JSON, path: str, roots: Roots) -> Iterator[KeyNote]:
    """Yield the warnings of the placeholders of one value; one that can not be parsed is left to its reader."""
    try:
        references = placeholders.parse(value).references
    except InvalidInputError:
        return
    for reference in sorted(references):
        if (found := roots.find_note(reference, path)) is not None:
            yield found


def _is_template(leaf: Leaf) -> bool:
    is_code = leaf.name in _CODE and isinstance(leaf.value, str)
    return leaf.key.use is Use.READ and holds_placeholders(leaf.key.value) and not is_code
