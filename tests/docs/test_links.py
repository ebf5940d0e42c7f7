"""Whoever follows a link arrives."""

import re

import pytest

from tests.docs.pages import DOCS, PAGES, README, anchors, headings, links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_resolve(page):
    broken = []
    for link in links(page):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_file() or (anchor and anchor not in set(anchors(target))):
            broken.append(link)

    assert not broken


def test_every_page_is_reached_from_the_readme():
    linked = {(README.parent / link.partition("#")[0]).resolve() for link in links(README)}

    assert set(DOCS.glob("*.md")) <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_one_title_and_no_heading_twice_that_is_linked(page):
    assert page.read_text("utf-8").startswith(f"# {headings(page)[0]}\n")
