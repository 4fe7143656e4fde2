"""``ferryman open``: the page of a run, an account, a job, a webhook or a destination in the browser."""

import os
import sys
import webbrowser
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import Answer, add_named_argument, call_api
from app.client import ApiClient, ApiError
from app.engine.errors import NotFoundError

_PAGES: Final[Mapping[str, str]] = {
    "sync-job-run": "runs",
    "integrated-account": "accounts",
    "sync-job": "jobs",
    "webhook": "webhooks",
    "destination": "destinations",
}
"""By the resource of the API: where the dashboard shows one of it."""
_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


@click.command("open")
@add_named_argument("object_id", metavar="ID")
@call_api
def open_page(client: ApiClient, object_id: str) -> Answer:
    """Open the page of a run, account, job, webhook or destination in the browser; print its address."""
    page = f"/ui/{_find_page(client, object_id)}/{quote(object_id, safe='')}"
    # The link of the browser signs in, once; what is printed may be passed on.
    is_opened = has_display() and _open(client.make_sign_in_link(page))
    url = client.url + page
    return Answer({"url": url, "is_opened": is_opened}, url)


def has_display() -> bool:
    """Whether a browser may have a window here; one without would take the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in _DISPLAYS)


def _open(url: str) -> bool:
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False


def _find_page(client: ApiClient, object_id: str) -> str:
    """Return the kind of page of an id: what it is of has to be asked."""
    for resource, page in _PAGES.items():
        try:
            client.get(f"/{resource}/{quote(object_id, safe='')}")
        except ApiError as error:
            if error.status != 404:
                raise
        else:
            return page
    raise NotFoundError("run, account, job, webhook or destination", object_id)
