"""Hooks of MkDocs: pages that lie beside the code are on the site too, and a request behind a fence is its title."""

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "README.md": "index.md",
    "SECURITY.md": "project/security-policy.md",
    **{
        str(readme.relative_to(ROOT)): f"connectors/{readme.parent.name}.md"
        for readme in (ROOT / "app/catalog/connectors").glob("*/README.md")
    },
}
"""Where on the site a file of the repository is that is not in docs/."""
SOURCES = {page: source for source, page in PAGES.items() if source != "README.md"}


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that are not in docs/."""
    for page, source in SOURCES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Make links and fences, which are written for a reader of the repository, fit the site."""
    here = page.file.src_uri
    source = SOURCES.get(here, join("docs", here))

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match.groups()
        path = normpath(join(dirname(source), target))
        on_site = PAGES.get(path) or path.removeprefix("docs/")
        if path in PAGES or path.startswith("docs/"):
            return f"[{text}]({relpath(on_site, dirname(here) or '.')}{anchor})"
        return text if (ROOT / path).exists() else match[0]

    markdown = re.sub(r"\[([^\]]+)\]\(([\w./-]+)((?:#[^)]*)?)\)", link, markdown)
    return re.sub(r"^```(\w+) (.+)$", r'```\1 title="\2"', markdown, flags=re.MULTILINE)
