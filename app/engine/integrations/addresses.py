"""The addresses of a config: ``base_url``, and the paths of methods."""

import re
from typing import Final

from app.engine.config.reader import ConfigReader, shown
from app.engine.templating import placeholders
from app.engine.templating.placeholders import Template

_ADDRESS: Final = re.compile(r"(https?://[^/?#\s]|\{\{)", re.IGNORECASE)


def read_base_url(reader: ConfigReader) -> Template:
    """Read an address that paths stand behind."""
    url = reader.value.get("base_url")
    if isinstance(url, str) and url and not _ADDRESS.match(url):
        reader.fault("base_url", f"expected an address such as https://api.example.com, found {shown(url)}")
    _refuse_braces(reader, "base_url")
    return reader.template("base_url")


def read_path(reader: ConfigReader, *, default: str) -> Template:
    """Read a path behind it."""
    _refuse_braces(reader, "path")
    return reader.template("path", default=default)


def _refuse_braces(reader: ConfigReader, key: str) -> None:
    """Braces that are left beside placeholders are a misspelt one, which would be sent as it is."""
    text = reader.value.get(key)
    left = placeholders.without_placeholders(text) if isinstance(text, str) else ""
    if set("{}") & set(left) and "{{" not in left:  # Two in a row are no placeholder anywhere.
        reader.fault(key, f"expected placeholders such as '{{{{id}}}}' and no other braces, found {shown(text)}")
