"""Who is named in a request: the same addresses and click ids as those that were sent with events."""

from __future__ import annotations

import hashlib
import time

import pytest

from airflow_provider_pinterest.exceptions import ParameterError, ResultError
from tests.running import deliver

EVENT = {
    "event_name": "checkout",
    "action_source": "web",
    "event_id": "order-1",
    "client_ip_address": "8.8.8.8",
    "client_user_agent": "Mozilla/5.0",
}


def sent(pinterest, **cell):
    """Send an event with one cell, and return its user data."""
    assert deliver(events=[{**EVENT, "event_time": int(time.time()) - 60, **cell}]).error is None
    [event] = pinterest.events()
    return event.event["user_data"]


@pytest.mark.parametrize(
    "cell",
    [
        " Ada@Example.COM ",
        "Jane <jane@example.com>",
        "mailto:ada@example.com",
        "ada.l+x@gmail.example",
        "ada\u200b@example.com",
        "ada\uff20example.com",
        "ada@b\u00fccher.example",
        "ada@example.com.",
        ["ada@example.com", "max@example.com"],
        '["ada@example.com", "max@example.com"]',
        "{ada@example.com,max@example.com}",
        b"ada@example.com",
    ],
    ids=repr,
)
def test_an_address_has_the_hash_that_was_sent(pinterest, connect, attempt, asked, cell):
    connect(pinterest)
    hashes = sent(pinterest, email=cell)["em"]
    attempt([{"email": cell}])

    assert [hashlib.sha256(one.encode()).hexdigest() for one in asked()] == hashes


@pytest.mark.parametrize(
    "cell",
    [
        "dj0yJnU9abc",
        "dj0yJnU9abc==",
        "dj0yJnU9abc%3D%3D",
        "epik=dj0yJnU9abc",
        "_epik=dj0yJnU9abc",
        "epik%3Ddj0yJnU9abc",
        "https://shop.example.com/?epik=dj0yJnU9abc&x=1",
        "https%3A%2F%2Fshop.example.com%2F%3Fepik%3Ddj0yJnU9abc",
        "session=1; _epik=dj0yJnU9abc; theme=dark",
        '"dj0yJnU9abc"',
        "dj0yJnU9abc\u200b",
        12345,
    ],
    ids=repr,
)
def test_a_click_id_is_the_one_that_was_sent(pinterest, connect, attempt, asked, cell):
    connect(pinterest)
    click_id = sent(pinterest, click_id=cell)["click_id"]
    attempt([{"epik": cell}], email_column=None, click_id_column="epik")

    assert asked() == [click_id]


@pytest.mark.parametrize(
    "cell",
    ["https://shop.example.com/", "epik=", "a b", "ada@example.com", "epik=ada@example.com", "dj0\u00e9", "?a=1"],
)
def test_what_is_not_a_click_id_is_not_sent_as_one(pinterest, attempt, cell):
    with pytest.raises(ResultError, match="bad_click_id 1"):
        attempt([{"epik": cell}], email_column=None, click_id_column="epik")

    assert pinterest.calls() == []


@pytest.mark.parametrize(
    "cell",
    [
        "ada@example.com, max@example.com",
        "ada@example.com;max@example.com;",
        "ada@example.com | max@example.com",
        "ada@example.com\nmax@example.com",
        "ada@example.com max@example.com",
        "Ada <ada@example.com>, Max <max@example.com>",
    ],
)
def test_a_text_may_hold_several_addresses(attempt, asked, cell):
    result = attempt([{"email": cell}])

    assert asked() == ["ada@example.com", "max@example.com"]
    assert (result["identifiers"], result["rows_rejected"]) == (2, 0)


@pytest.mark.parametrize(
    "cell", ["max, ada@example.com, eve@example.com", "ada@example.com and max@example.com", "a@b, c@example.com"]
)
def test_a_text_with_something_else_between_addresses_is_rejected(pinterest, attempt, cell):
    with pytest.raises(ResultError, match="bad_email 1"):
        attempt([{"email": cell}])

    assert pinterest.calls() == []


class TestColumns:
    def test_a_column_that_no_row_has_is_named(self, pinterest, attempt):
        with pytest.raises(ParameterError, match=r"no column 'email'\. Their columns: emial, name"):
            attempt([{"emial": "ada@example.com"}, {"emial": "max@example.com", "name": "x"}])

        assert pinterest.calls() == []

    def test_a_column_may_be_absent_from_some_rows(self, attempt, asked):
        attempt([{"email": "ada@example.com"}, {"epik": "dj0"}], click_id_column="epik")

        assert asked() == ["ada@example.com", "dj0"]

    def test_one_of_two_columns_may_be_absent_from_all_rows_of_a_list(self, attempt, asked):
        attempt([{"email": "ada@example.com"}], click_id_column="epik")

        assert asked() == ["ada@example.com"]
