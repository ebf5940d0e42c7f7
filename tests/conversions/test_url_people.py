"""Telephone numbers and names of people are removed from URLs."""

from __future__ import annotations

import time

import pytest

from airflow_provider_pinterest.conversions.url_people import _KEYS, _PHONES, may_have_person
from tests.conversions.rows import good, new_transform, outcomes_of, sent

SHOP = "https://shop.example.com"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/a?phone=%2B49%20171%201234567", "/a"),
        ("/a?utm_source=x&phone=01711234567", "/a"),
        ("/a?name=Ada+Lovelace&x=1", "/a"),
        ("/a?first_name=Ada", "/a"),
        ("/a?firstName=Ada", "/a"),
        ("/a?LASTNAME=Lovelace", "/a"),
        ("/a?billing_first_name=Ada", "/a"),
        ("/a?user[phone]=0171-1234567", "/a"),
        ("/a?user%5Blast_name%5D=Lovelace", "/a"),
        ("/a?user%255Blast_name%255D=Lovelace", "/a"),
        ("/a?to=%2Fb%3Fphone%3D491711234567", "/a"),
        ("/a?email=YWRhQGV4YW1wbGUuY29t", "/a"),
        ("/a?x=%2B491711234567", "/a"),
        ("/a?x=%252B491711234567", "/a"),
        ("/a?x=+491711234567", "/a"),
        ("/a?link=tel%3A%2B491711234567", "/a"),
        ("/a#phone=491711234567", "/a"),
        ("/a#/thanks?name=Ada", "/a"),
        ("/a?q=x&tel=4155552671", "/a"),
        ("/a?customer_tel=(415)%20555-2671", "/a"),
        ("/call/+491711234567/x", "/call/"),
        ("/call/%2B49-171-1234567", "/call/"),
        ("/phone/+491711234567", "/phone/"),
        ("/tel:+491711234567", "/"),
        ("/a;phone=01711234567/b", "/"),
    ],
)
def test_a_person_is_cut_out_of_a_url(path, kept):
    transform = new_transform()
    assert sent(good(url=SHOP + path), transform)["event_source_url"] == SHOP + kept
    assert transform.warnings == {"personal_data_in_url": 1}


ORDINARY = [
    *("/a?utm_source=x&utm_campaign=autumn+sale&gclid=Cj0KCQiA", "/a?hotel=1234567", "/a?telco=x", "/a?filename=a.pdf"),
    *("/a?product_name=Shirt", "/a?campaign_name=x", "/a?mobile=1", "/a?phone=iphone15", "/a?variant=41234567890123"),
    *(
        "/phone/iphone-15",
        "/phone/491711234567",
        "/telefonie/handy",
        "/a?x=foo+12345678",
        "/a?email=newsletter",
        "/a?name=",
        "/a?q=1%2B1",
    ),
    *("/a?d=2026-11-21T09:30:00%2B0100", "/p/+plus-size", "/search?q=name", "/a?email=1&mail=0", "/a?order=4155552671"),
]


@pytest.mark.parametrize("path", ORDINARY)
def test_an_ordinary_url_stays(path):
    transform = new_transform()
    assert sent(good(url=SHOP + path), transform)["event_source_url"] == SHOP + path
    assert not transform.warnings


@pytest.mark.parametrize("key", sorted(_KEYS))
@pytest.mark.parametrize(
    "shape", ["?{}={}", "?x=1&{}={}", "#{}={}", "?user[{}]={}", "?user%5B{}%5D={}", "?customer_{}={}"]
)
def test_every_personal_parameter_is_found_in_a_column(key, shape):
    """A column is searched as a whole before its cells are looked at."""
    value = "01711234567" if key in _PHONES else "YWRhQGV4YW1wbGUuY29t" if "mail" in key else "Ada"
    for name in (key, key.upper(), key.title()):
        url = f"{SHOP}/a" + shape.format(name, value)
        assert may_have_person(url.encode())
        found = outcomes_of([good(event_id=1, url=url), good(event_id=2, url=SHOP)])
        assert f'"event_source_url":"{SHOP}/a"'.encode() in found[0].body


def test_plain_urls_are_not_searched_cell_by_cell():
    assert not may_have_person(f"{SHOP}/de/checkout?basket=1&utm_source=x&gclid=Cj0-_".encode())


@pytest.mark.parametrize("text", ["=" * 50_000, "?name" * 10_000, "/+1 2" * 10_000, "?a=+4" * 10_000, "%25" * 20_000])
def test_a_long_url_takes_no_time(text):
    begun = time.perf_counter()
    outcomes_of([good(url=SHOP + "/" + text)])
    assert time.perf_counter() - begun < 2
