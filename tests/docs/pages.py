"""The documentation as data: pages, their headings, links, tables and code blocks."""

import re
import runpy
from functools import cache
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
README = REPOSITORY / "README.md"
PUBLISHED = "https://github.com/airflow-provider-pinterest/airflow-provider-pinterest/blob/main/"
"""Where the repository's files can be read by those who do not have it."""

WITHOUT_AIRFLOW = DOCS / "without-airflow.md"
PAGES = [README, REPOSITORY / "CHANGELOG.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


class Block(NamedTuple):
    """A fenced block of code: the heading it stands under, its language, and its text."""

    page: Path
    heading: str
    language: str
    text: str

    def __str__(self):
        return f"{self.page.stem}:{self.heading}"


class Line(NamedTuple):
    """A row of a table: the heading it stands under, the table's head, and its cells."""

    heading: str
    head: tuple[str, ...]
    cells: tuple[str, ...]


@cache
def blocks(page, language=None):
    found = []
    lines: list[str] = []
    heading, fence = "", None
    for line in page.read_text("utf-8").splitlines():
        if fence is not None:
            if line == "```":
                found.append(Block(page, heading, fence, "\n".join(lines) + "\n"))
                fence, lines = None, []
            else:
                lines.append(line)
        elif line.startswith("```"):
            fence = line[3:]
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    assert fence is None, f"{page.name}: a block has no end"
    return [block for block in found if language in (None, block.language)]


def all_blocks(language):
    return [block for page in PAGES for block in blocks(page, language)]


def prose(page):
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def headings(page):
    return re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)


def section(page, heading):
    """The prose under a heading, up to the next of the same or a higher level."""
    text = prose(page)
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found, f"{page.name} has no heading {heading!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


@cache
def lines(page):
    """Every row of every table."""
    found = []
    heading, head = "", None
    for line in prose(page).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            head = None
            continue
        cells = tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        if head is None:
            head = cells
        elif set("".join(cells)) <= set("-: "):
            continue
        else:
            assert len(cells) == len(head), f"{page.name}: {line}"
            found.append(Line(heading, head, cells))
    return found


def codes(text):
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def first_column(page, heading):
    """The names in the first column of the tables under a heading."""
    return [name for line in lines(page) if line.heading == heading for name in codes(line.cells[0])]


def anchors(page):
    """The anchors of a page's headings, as Git hosts make them."""
    seen: dict[str, int] = {}
    for heading in headings(page):
        slug = re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower().replace(" ", "-")
        seen[slug] = seen.get(slug, -1) + 1
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug


def links(page):
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def target(page, link):
    """The file of the repository that a link leads to, and the anchor in it; no file for other sites."""
    path, _, anchor = link.partition("#")
    if path.startswith(PUBLISHED):
        return REPOSITORY / path.removeprefix(PUBLISHED), anchor
    if re.match(r"https?://", path):
        return None, anchor
    return (page.parent / path).resolve() if path else page, anchor


def generator():
    """The script that writes the generated parts."""
    return runpy.run_path(str(DOCS / "generate.py"))


def for_sqlite(sql):
    """Write placeholders as the README's table has them for SQLite."""
    [cell] = [line.cells[1].strip("`") for line in lines(README) if line.cells[0] == "SQLite"]
    return re.sub(r"%\((\w+)\)s", lambda found: cell.replace("start", found[1]), sql)
