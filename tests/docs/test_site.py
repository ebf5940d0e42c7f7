"""Links that are written for the repository lead to the same place on the site."""

import runpy

import pytest

from tests.docs.pages import DOCS, PAGES, anchors

HOOKS = runpy.run_path(str(DOCS / "mkdocs_hooks.py"))
REPO = "https://git.example.com/shop/provider"


@pytest.mark.parametrize(
    ("link", "page", "leads_to"),
    [
        ("docs/fields.md#time", "index.md", "fields.md#time"),
        (f"{REPO}/blob/main/docs/fields.md#time", "index.md", "fields.md#time"),
        ("../README.md#consent", "running.md", "index.md#consent"),
        ("CHANGELOG.md", "index.md", "changelog.md"),
        ("fields.md", "running.md", "fields.md"),
        ("images/pipeline.png", "how-it-works.md", "images/pipeline.png"),
        ("docs/images/pipeline.png", "index.md", "images/pipeline.png"),
        ("#consent", "index.md", "#consent"),
        ("parameters.md#parameters-1", "running.md", "parameters.md#parameters_1"),
        ("#parameters-1", "parameters.md", "#parameters_1"),
        ("guarantees.md#before-airflow-33", "running.md", "guarantees.md#before-airflow-33"),
        ("../LICENSE", "running.md", f"{REPO}/blob/main/LICENSE"),
        ("docs/missing.md", "index.md", f"{REPO}/blob/main/docs/missing.md"),
        ("../fields.md#time", "decisions/0001-columns-instead-of-rows.md", "../fields.md#time"),
        ("../../CHANGELOG.md", "decisions/0001-columns-instead-of-rows.md", "../changelog.md"),
        ("decisions/0001-columns-instead-of-rows.md", "api.md", "decisions/0001-columns-instead-of-rows.md"),
        ("https://example.com/a#b", "index.md", "https://example.com/a#b"),
    ],
)
def test_a_link_leads_to_the_page_or_to_the_repository(link, page, leads_to):
    assert HOOKS["site_link"](link, page, REPO) == leads_to


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_anchors_are_those_of_the_repository(page):
    assert list(HOOKS["anchors"](page.read_text("utf-8"))) == list(anchors(page))


def test_links_in_code_stay_as_they_are():
    class Page:
        class file:  # noqa: N801 - as MkDocs has it
            src_uri = "index.md"

    text = "See [fields](docs/fields.md).\n\n```text\n[fields](docs/fields.md)\n```\n"
    config = {"repo_url": REPO}
    assert HOOKS["on_page_markdown"](text, Page, config, None) == text.replace("docs/fields.md", "fields.md", 1)
