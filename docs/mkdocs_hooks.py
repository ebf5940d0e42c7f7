"""What MkDocs asks while it builds the site: which files are pages beside docs/, and where a link leads there.

Links are written for the repository. On the site, a link to a page of the site leads there, and any other to the
repository.
"""

# ruff: noqa: INP001 - MkDocs reads it by its path

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
FROM_THE_ROOT = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""File of the repository → page of the site."""

_BLOCK = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that stand at the root of the repository."""
    from mkdocs.structure.files import File

    for source, page in FROM_THE_ROOT.items():
        files.append(File.generated(config, page, abs_src_path=str(REPOSITORY / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:  # noqa: ARG001
    """Let links lead where they do in the repository."""
    repository = config["repo_url"].rstrip("/")
    parts = _BLOCK.split(markdown)
    parts[::2] = [
        _LINK.sub(lambda link: f"]({site_link(link[1], page.file.src_uri, repository)})", text) for text in parts[::2]
    ]
    return "".join(parts)


def site_link(link: str, page: str, repository: str) -> str:
    """Return a link as it must be on a page of the site.

    :param link: as it stands in the repository.
    :param page: the page of the site that it stands on.
    :param repository: the address of the repository.
    """
    files = f"{repository}/blob/main/"
    if "://" in link and not link.startswith(files):
        return link
    place = posixpath.dirname(page)
    folder = "" if page in FROM_THE_ROOT.values() else posixpath.join("docs", place)
    path, _, anchor = link.removeprefix(files).partition("#")
    if not path:
        file = next((source for source, name in FROM_THE_ROOT.items() if name == page), f"docs/{page}")
    else:
        file = path if link.startswith(files) else posixpath.normpath(posixpath.join(folder, path))
    target = FROM_THE_ROOT.get(file, file.removeprefix("docs/") if file.startswith("docs/") else None)
    if target is None or not (REPOSITORY / file).is_file():
        return f"{files}{file}" + (f"#{anchor}" if anchor else "")
    if anchor and file.endswith(".md"):
        anchor = anchors((REPOSITORY / file).read_text(encoding="utf-8")).get(anchor, anchor)
    return (posixpath.relpath(target, place or ".") if path else "") + (f"#{anchor}" if anchor else "")


def anchors(markdown: str) -> dict[str, str]:
    """Return the anchors of a page's headings, as Git hosts make them → as MkDocs makes them."""
    found: dict[str, str] = {}
    seen: dict[str, int] = {}
    for heading in _HEADING.findall("".join(_BLOCK.split(markdown)[::2])):
        slug = re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower().replace(" ", "-")
        count = seen[slug] = seen.get(slug, -1) + 1
        found[f"{slug}-{count}" if count else slug] = f"{slug}_{count}" if count else slug
    return found
