"""Where the things that are shown have their pages."""

from typing import Final
from urllib.parse import quote

import flask

_PAGES: Final = {
    "run": "runs",
    "sync_job_run": "runs",
    "account": "accounts",
    "integrated_account": "accounts",
    "webhook": "webhooks",
    "destination": "destinations",
    "resource_schema": "schemas",
    "audit": "audit",
}


def find_page(kind: str, id: str) -> str | None:
    """Return the address of the page of a thing; None where its kind has none."""
    folder = _PAGES.get(kind)
    return None if folder is None else f"{flask.request.script_root}/ui/{folder}/{quote(id, safe='')}"
