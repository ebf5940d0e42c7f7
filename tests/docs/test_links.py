"""Whoever follows a link arrives."""

import re
import tomllib

import pytest

from tests.docs.pages import DOCS, PAGES, PUBLISHED, README, REPOSITORY, anchors, headings, links, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_resolve(page):
    broken = []
    for link in links(page):
        file, anchor = target(page, link)
        if file and (not file.is_file() or (anchor and anchor not in set(anchors(file)))):
            broken.append(link)

    assert not broken


def test_the_readme_can_be_read_outside_of_the_repository():
    """It is also the description of the package, where links between files lead nowhere."""
    assert [link for link in links(README) if not re.match(r"https?://|#", link)] == []


def test_the_links_of_the_readme_lead_to_the_project():
    urls = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"].get("urls", {})
    repository = PUBLISHED.removesuffix("/blob/main/")

    assert all(url.startswith(repository) for url in urls.values() if url.startswith("https://github.com/"))


def test_every_page_is_reached_from_the_readme():
    linked = {target(README, link)[0] for link in links(README)}

    assert set(DOCS.glob("*.md")) <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_one_title_and_no_heading_twice_that_is_linked(page):
    assert page.read_text("utf-8").startswith(f"# {headings(page)[0]}\n")
