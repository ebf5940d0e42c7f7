"""One event as a person sees it in the log."""

import orjson
import pytest

from airflow_provider_pinterest.sync.preview import LONGEST_TEXT, shortened


def shown(**event):
    return orjson.loads(shortened(orjson.dumps({"user_data": {}, **event})))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example.com/thanks", "https://shop.example.com/thanks"),
        ("https://shop.example.com/thanks?email=jane@example.com", "https://shop.example.com/thanks…"),
        ("https://shop.example.com/thanks#jane@example.com", "https://shop.example.com/thanks…"),
        ("https://jane:secret@shop.example.com/thanks", "https://shop.example.com/thanks"),
        ("https://shop.example.com/u/jane%40example.com/thanks", "https://shop.example.com/u/…/thanks"),
        ("https://shop.example.com/u/jane@example.com", "https://shop.example.com/u/…"),
        ("https://[bad/thanks", "…"),
    ],
)
def test_a_url_shows_the_page_and_nobody(url, expected):
    assert shown(event_source_url=url)["event_source_url"] == expected


def test_addresses_are_removed_from_every_text_and_every_name():
    event = {"custom_data": {"search_string": "jane@example.com hat", "np": ["jane@example.com"], "a@example.com": 1}}

    assert shown(**event)["custom_data"] == {"search_string": "… hat", "np": ["…"], "…": 1}


def test_control_characters_cannot_forge_a_line_of_the_log():
    text = shortened(orjson.dumps({"user_data": {}, "event_name": "check\r\nout\x1b[31m\u2028x"}))

    assert "\x1b" not in text
    assert orjson.loads(text)["event_name"].splitlines() == ["check out [31m x"]


def test_long_texts_are_cut():
    assert len(shown(event_name="x" * 10_000)["event_name"]) == LONGEST_TEXT + 1


def test_identifiers_show_their_first_characters_only():
    event = {"user_data": {"em": ["b421b058ad"], "client_ip_address": "192.0.2.17"}}

    assert shown(**event)["user_data"] == {"em": ["b421b0…"], "client_ip_address": "192.…"}
