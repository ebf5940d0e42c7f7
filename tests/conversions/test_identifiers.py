"""Personal identifiers are sent as the SHA-256 of their canonical text, or not at all."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import string
import unicodedata
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.cached_parser import CachedParser
from airflow_provider_pinterest.conversions.fields import SWITCHES
from airflow_provider_pinterest.conversions.placeholders import PLACEHOLDERS
from airflow_provider_pinterest.exceptions import ParameterError
from tests.conversions.rows import ADA, UNIDENTIFIED, good, new_transform, reasons, sent, sent_identifier, sha

HASHED = sorted(SWITCHES)
is_hash = re.compile("[0-9a-f]{64}").fullmatch


# The hashes in the examples of the API documentation differ; these are right.


@pytest.mark.parametrize(
    ("name", "cell", "digest"),
    [
        ("country", "US", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
        ("country", "Canada", "6959097001d10501ac7d54c0bdb8db61420f658f2922cc26e46d536119a31126"),
        ("ge", "female", "252f10c83610ebca1a059c0bae8255eba2f95be4d1d7bcfa89d7248a82d9f111"),
        ("ge", "M", "62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a"),
        ("ge", "non-binary", "1b16b1df538ba12dc3f97edbb85caa7050d46c148134290feba80f8236c83db9"),
    ],
)
def test_the_right_vectors_come_out(name, cell, digest):
    assert sent_identifier(name, cell) == ([digest], {})


CANONICAL = [
    ("em", " Ada.Lovelace @Example.COM\t", "ada.lovelace@example.com"),
    ("em", "ÄDA@example.com", "äda@example.com"),
    ("em", "a\u00a0b@x.com", "ab@x.com"),
    ("em", "\u200bada@example.com\u200b", "ada@example.com"),
    ("em", "\ufeffada@example.com", "ada@example.com"),
    ("em", "ada\u00ad@exam\u200dple.com", "ada@example.com"),
    ("em", "ada@example.com\x00", "ada@example.com"),
    ("em", "\u202aada@example.com\u202c", "ada@example.com"),
    ("em", "mailto:ada@example.com", "ada@example.com"),
    ("em", "MAILTO:Ada@Example.com?subject=Hello", "ada@example.com"),
    ("em", "<ada@example.com>", "ada@example.com"),
    ("em", "Ada Lovelace <ada@example.com>", "ada@example.com"),
    ("em", '"Lovelace, Ada" <Ada@example.com>', "ada@example.com"),
    ("em", "<mailto:ada@example.com>", "ada@example.com"),
    ("em", "ada@example.com (Ada Lovelace)", "ada@example.com"),
    ("em", "'ada@example.com'", "ada@example.com"),
    ("em", "\u201cada@example.com\u201d", "ada@example.com"),
    ("em", '"ada@example.com"', "ada@example.com"),
    ("em", '"ada@example.com', "ada@example.com"),
    ("em", "'ada@example.com", "ada@example.com"),
    ("em", "`ada@example.com`", "ada@example.com"),
    ("em", "{ada@example.com}", "ada@example.com"),
    ("em", "mailto://ada@example.com", "ada@example.com"),
    ("em", "\uff41da\uff20example.com", "ada@example.com"),
    ("em", "ada@example.com.", "ada@example.com"),
    ("em", "ada@example.com,", "ada@example.com"),
    ("em", "ada@example.com;", "ada@example.com"),
    ("em", "(ada@example.com)", "ada@example.com"),
    ("em", "ada+shop@mail.example.co.uk", "ada+shop@mail.example.co.uk"),
    ("em", "o'hara@example.com", "o'hara@example.com"),
    ("em", "a@1-a.example.com", "a@1-a.example.com"),
    ("em", "ada@b\u00fccher.example.com", "ada@b\u00fccher.example.com"),
    ("em", "ada@\u0909\u0926\u093e\u0939\u0930\u0923.\u092d\u093e\u0930\u0924", None),
    ("ph", "+49 (170) 123-4567", "491701234567"),
    ("ph", "0049 170 1234567", "491701234567"),
    ("ph", "+49 (0)170 1234567", "491701234567"),
    ("ph", "+49 (0) 170 1234567", "491701234567"),
    ("ph", "tel:+1.555.123.4567", "15551234567"),
    ("ph", "+49\u00a0170\u20111234567", "491701234567"),
    ("ph", "+39 06 12345678", "390612345678"),
    ("ge", " Female ", "f"),
    ("ge", "w", "f"),
    ("ge", "MALE", "m"),
    ("ge", "X", "n"),
    ("ge", "non binary", "n"),
    ("db", "1990-12-31", "19901231"),
    ("db", "1990/12/31", "19901231"),
    ("db", "19901231", "19901231"),
    ("db", 19901231, "19901231"),
    ("db", dt.date(1990, 12, 31), "19901231"),
    ("db", dt.datetime(1990, 12, 31, 23, 59), "19901231"),  # noqa: DTZ001
    ("db", "1990-12-31T00:00:00Z", "19901231"),
    ("db", "1990-12-31 00:00:00", "19901231"),
    ("db", "31.12.1990", "19901231"),
    ("db", "3.4.1990", "19900403"),
    ("db", "12/31/1990", "19901231"),
    ("db", "31/12/1990", "19901231"),
    ("db", "4/4/1990", "19900404"),
    ("fn", "  Anna   Maria ", "anna maria"),
    ("fn", "JOSÉ", "josé"),
    ("fn", "O'Neill-Smith", "o'neill-smith"),
    ("ln", "von\tder  Leyen", "von der leyen"),
    ("ct", "New York", "newyork"),
    ("ct", "St. John's", "stjohns"),
    ("ct", "São Paulo", "sãopaulo"),
    ("ct", "Łódź", "łódź"),
    ("ct", "東京", "東京"),
    ("ct", "नई दिल्ली", "नईदिल्ली"),
    ("ct", "4th Line", "4thline"),
    ("st", " ca ", "ca"),
    ("st", "California", "ca"),
    ("st", "US-CA", "ca"),
    ("st", "Washington, D.C.", "dc"),
    ("st", "Nordrhein-Westfalen", "nordrhein-westfalen"),
    ("zp", "10001", "10001"),
    ("zp", "10001-1234", "10001"),
    ("zp", 10001, "10001"),
    ("zp", "SW1A 1AA", "sw1a1aa"),
    ("zp", "K1A-0B1", "k1a0b1"),
    ("zp", "1012 AB", "1012ab"),
    ("zp", "D-10117", "d10117"),
    ("country", " de ", "de"),
    ("country", "DEU", "de"),
    ("country", "United Kingdom", "gb"),
    ("country", "UK", "gb"),
    ("external_id", "  Cust-42 ", "Cust-42"),
    ("external_id", 42, "42"),
    ("external_id", 42.0, "42"),
    ("external_id", Decimal(42), "42"),
    ("external_id", UUID(int=42), "00000000-0000-0000-0000-00000000002a"),
    ("hashed_maids", " 38400000-8CF0-11BD-B23E-10B96E40000D ", "38400000-8cf0-11bd-b23e-10b96e40000d"),
    ("hashed_maids", "{EB7BA5A4-4E32-4C1D-9F5A-5C5F1D0E8B11}", "eb7ba5a4-4e32-4c1d-9f5a-5c5f1d0e8b11"),
    ("hashed_maids", "EB7BA5A44E324C1D9F5A5C5F1D0E8B11", "eb7ba5a4-4e32-4c1d-9f5a-5c5f1d0e8b11"),
    ("hashed_maids", UUID("eb7ba5a4-4e32-4c1d-9f5a-5c5f1d0e8b11"), "eb7ba5a4-4e32-4c1d-9f5a-5c5f1d0e8b11"),
    ("fn", "\u200bAda\ufeff", "ada"),
    ("fn", "A\u00adda", "ada"),
    ("ln", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
    ("external_id", "\ufeffCust-42\u200b", "Cust-42"),
    ("external_id", "a\u00e4", "a\u00e4"),
]
CANONICAL = [case for case in CANONICAL if case[2] is not None]


@pytest.mark.parametrize(("name", "cell", "text"), CANONICAL, ids=[f"{name}-{cell}" for name, cell, _ in CANONICAL])
def test_the_canonical_text_is_hashed(name, cell, text):
    assert sent_identifier(name, cell) == ([sha(text)], {})


def test_every_identifier_has_a_canonical_form_above():
    assert {name for name, _, _ in CANONICAL} == set(HASHED)


UNUSABLE = [
    ("em", "ada"),
    ("em", "@example.com"),
    ("em", "ada@"),
    ("em", "ada@home@example.com"),
    ("em", "\ud800@example.com"),
    ("em", "ada@localhost"),
    ("em", "ada@example..com"),
    ("em", "ada..lovelace@example.com"),
    ("em", ".ada@example.com"),
    ("em", "ada.@example.com"),
    ("em", "ada@.example.com"),
    ("em", "ada@-example.com"),
    ("em", "ada@example-.com"),
    ("em", "ada@127.0.0.1"),
    ("em", "ada@[127.0.0.1]"),
    ("em", "ada@example.com, bob@example.com"),
    ("em", "ada@example.com;bob@example.com"),
    ("em", "Ada <ada@example.com> Bob <bob@example.com>"),
    ("em", "a(d)a@example.com"),
    ("em", "a:b@example.com"),
    ("em", "ada\\@example.com"),
    ("em", "ada%40example.com"),
    ("em", "d41d8cd98f00b204e9800998ecf8427e"),
    ("ph", "12345"),
    ("ph", "1" * 16),
    ("ph", "somewhere"),
    ("ph", "0000000000"),
    ("ge", "z"),
    ("ge", "prefer not to say"),
    ("db", "03/04/1990"),
    ("db", "03-04-1990"),
    ("db", "1990-13-31"),
    ("db", "31.02.1990"),
    ("db", "0001-01-01"),
    ("db", "1990"),
    ("db", "\uff11\uff19\uff19\uff10-12-31"),
    ("fn", "\ud800"),
    ("fn", b"\xff"),
    ("fn", True),
    ("ct", "---"),
    ("st", "\ud800"),
    ("zp", "--"),
    ("country", "XQ"),
    ("country", "Ruritanien"),
    ("country", "Korea, somewhere"),
    ("external_id", {"id": 1}),
    ("external_id", 1e22),
    ("hashed_maids", "00000000-0000-0000-0000-000000000000"),
    ("hashed_maids", "LAT"),
    ("hashed_maids", "optout"),
    ("hashed_maids", "opt_out"),
    ("hashed_maids", "38400000-8cf0-11bd"),
    ("hashed_maids", "ada@example.com"),
    ("hashed_maids", "9774d56d682e549c"),
    ("hashed_maids", "d41d8cd98f00b204e9800998ecf8427e"),
    ("hashed_maids", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("hashed_maids", 1),
    ("external_id", "---"),
    ("external_id", "!"),
]


@pytest.mark.parametrize(("name", "cell"), UNUSABLE, ids=[f"{name}-{cell!r}" for name, cell in UNUSABLE])
def test_what_has_no_canonical_form_is_left_out_and_warned_of(name, cell):
    assert sent_identifier(name, cell) == (None, {f"unusable_{name}": 1})


@pytest.mark.parametrize("name", HASHED)
@pytest.mark.parametrize("cell", [None, "", "  ", [], "[]", [None, " "]], ids=repr)
def test_nothing_is_left_out_without_a_word(name, cell):
    """The hash of an empty text is never sent."""
    assert sent_identifier(name, cell) == (None, {})


# Already hashed


@pytest.mark.parametrize("name", HASHED)
def test_a_hash_passes_through_in_lowercase(name):
    digest = sha("whatever it was")
    for cell in (digest, f" {digest.upper()} ", [digest], f'["{digest}"]'):
        assert sent_identifier(name, cell) == ([digest], {})


@pytest.mark.parametrize("name", HASHED)
def test_hashing_what_is_hashed_changes_nothing(name):
    sample = next(cell for known, cell, _ in CANONICAL if known == name)
    once, _ = sent_identifier(name, sample)
    assert sent_identifier(name, once) == (once, {})


def test_a_raw_id_that_looks_like_a_hash_can_be_hashed():
    digest = sha("session")
    assert sent_identifier("external_id", digest, already_hashed=False) == ([sha(digest)], {})


@pytest.mark.parametrize("name", HASHED)
def test_raw_text_is_refused_where_hashes_are_promised(name):
    assert sent_identifier(name, "ada@example.com", already_hashed=True) == (None, {f"unusable_{name}": 1})
    assert sent_identifier(name, ADA, already_hashed=True) == ([ADA], {})


@given(st.sampled_from(HASHED), st.text(string.hexdigits, min_size=60, max_size=68))
def test_only_64_hex_digits_are_a_hash(name, cell):
    found, _ = sent_identifier(name, cell)
    assert (found == [cell.lower()]) == (len(cell) == 64)


def test_digits_of_other_scripts_are_no_hash():
    cell = "\u0660" * 64
    assert sent_identifier("external_id", cell) == ([sha(cell)], {})


# Lists


def test_each_element_of_a_list_is_hashed_once_in_its_order():
    hashes = [ADA, sha("bob@example.com")]
    for cell in (
        ["ADA@example.com", "bob@example.com", "ada@example.com "],
        ("ada@example.com", "bob@example.com"),
        '["ada@example.com", "bob@example.com"]',
        [ADA, "bob@example.com", None, ""],
    ):
        assert sent_identifier("em", cell) == (hashes, {})


def test_what_is_usable_in_a_list_survives_what_is_not():
    assert sent_identifier("em", ["ada@example.com", "nobody", True]) == ([ADA], {"unusable_em": 1})
    assert sent_identifier("em", ["nobody"]) == (None, {"unusable_em": 1})
    assert sent_identifier("em", "[ada@example.com]") == (None, {"unusable_em": 1})


def test_numbers_in_a_json_array_are_identifiers_too():
    assert sent_identifier("external_id", "[1, 2.0]") == ([sha("1"), sha("2")], {})


# Countries decide on states and postal codes


@pytest.mark.parametrize(
    ("name", "cell", "country", "text"),
    [
        ("zp", "10001-1234", "US", "10001"),
        ("zp", "100011234", "USA", "10001"),
        ("zp", "10001\u20131234", "United States", "10001"),
        ("zp", "10001-1234", sha("us"), "10001"),
        ("zp", "10001-1234", ["DE", "US"], "10001"),
        ("zp", "10001-1234", "PL", "100011234"),
        ("zp", "SW1A 1AA", "GB", "sw1a1aa"),
        ("zp", "10117", "DE", "10117"),
        ("st", "California", "US", "ca"),
        ("st", "California", "MX", "california"),
        ("st", "WA", "AU", "wa"),
        ("st", "Ontario", "CA", "ontario"),
        ("zp", "10001-1234", "XQ", "10001"),
    ],
)
def test_states_and_postal_codes_are_read_as_those_of_the_country(name, cell, country, text):
    assert sent_identifier(name, cell, home=country)[0] == [sha(text)]


def test_the_order_of_the_columns_does_not_matter_to_the_country():
    assert sent(good(zip="10001-1234", country="PL"))["user_data"]["zp"] == [sha("100011234")]


def test_a_default_country_is_the_country_of_rows_without_one():
    row = good(zip="10001-1234", state="California")
    found = sent(row, new_transform(defaults={"country": "PL"}))["user_data"]
    assert (found["zp"], found["st"]) == ([sha("100011234")], [sha("california")])


# Switches


def test_letters_of_postal_codes_can_be_dropped():
    assert sent_identifier("zp", "SW1A 1AA", letters="drop") == ([sha("11")], {})
    assert sent_identifier("zp", "SW1A 1AA", letters="keep") == ([sha("sw1a1aa")], {})


def test_the_case_of_an_external_id_is_kept_unless_told_otherwise():
    assert sent_identifier("external_id", "Cust-42", case="keep") == ([sha("Cust-42")], {})
    assert sent_identifier("external_id", "Cust-42", case="lower") == ([sha("cust-42")], {})


@pytest.mark.parametrize(("order", "text"), [("MDY", "19900304"), ("DMY", "19900403")])
def test_the_order_of_day_and_month_can_be_told(order, text):
    assert sent_identifier("db", "03/04/1990", order=order) == ([sha(text)], {})
    assert sent_identifier("db", "12/31/1990", order=order) == ([sha("19901231")], {})


# Phone numbers with a country


@pytest.mark.parametrize(
    ("country", "cell", "text"),
    [
        ("DE", "0170 1234567", "491701234567"),
        ("de", "0170/1234567", "491701234567"),
        ("DE", "+49 170 1234567", "491701234567"),
        ("DE", "0049 170 1234567", "491701234567"),
        ("DE", "+49 (0)170 1234567", "491701234567"),
        ("DE", "491701234567", "491701234567"),
        ("DE", 491701234567, "491701234567"),
        ("DE", "+1 212 555 0123", "12125550123"),
        ("US", "(212) 555-0123", "12125550123"),
        ("US", "(212) 555-0123 ext. 9", "12125550123"),
        ("US", "12125550123", "12125550123"),
        ("US", "452 012 3456", "14520123456"),  # with a plus it would be a Danish one
        ("IT", "06 1234 5678", "390612345678"),
        ("IT", "+39 06 1234 5678", "390612345678"),
    ],
)
def test_a_national_number_gets_the_country_code(country, cell, text):
    assert sent_identifier("ph", cell, country=country) == ([sha(text)], {})


@pytest.mark.parametrize("cell", ["somewhere", "12", "+", "0", "1" * 40, "\ud800"])
def test_what_no_phone_in_the_country_has_is_left_out(cell):
    assert sent_identifier("ph", cell, country="DE") == (None, {"unusable_ph": 1})


def test_a_country_without_phones_is_named():
    with pytest.raises(ParameterError, match="'Germany' is not an ISO 3166 alpha-2 country code"):
        new_transform(identifiers={"ph": {"country": "Germany"}})


@given(st.text())
def test_the_phone_library_is_never_the_end_of_a_run(cell):
    found, _ = sent_identifier("ph", cell, country="DE")
    assert found is None or all(map(is_hash, found))


# Sent unhashed


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("\ufeff192.0.2.1", "192.0.2.1"),
        (ipaddress.IPv4Address("192.0.2.1"), "192.0.2.1"),
        (ipaddress.IPv4Interface("192.0.2.1/24"), "192.0.2.1"),
        (ipaddress.IPv6Address("2001:db8::1"), "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1%eth0", "2001:db8::1"),
        ("192.0.2.1:443", "192.0.2.1"),
        ("192.0.2.1/32", "192.0.2.1"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ("192.0.2.1, 198.51.100.7", "192.0.2.1"),
        ("10.0.0.1, 192.0.2.1,198.51.100.7", "192.0.2.1"),
        ("unknown, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:1234, 10.1.1.1", "192.0.2.1"),
        ("172.16.1.1; 172.32.1.1", "172.32.1.1"),
        ('["192.0.2.1"]', "192.0.2.1"),
        ('["10.0.0.1", "2001:db8::1"]', "2001:db8::1"),
        ('"192.0.2.1"', "192.0.2.1"),
        ("['192.0.2.1']", "192.0.2.1"),
        (["10.0.0.1", "192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1"], "192.0.2.1"),
        ([ipaddress.IPv4Address("192.0.2.1")], "192.0.2.1"),
        ({"192.0.2.1"}, "192.0.2.1"),
        (b"192.0.2.1", "192.0.2.1"),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ('by=203.0.113.43; For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
    ],
    ids=str,
)
def test_an_ip_address_goes_out_in_one_form(cell, address):
    transform = new_transform()
    assert sent(good(ip=cell), transform)["user_data"]["client_ip_address"] == address
    assert not transform.warnings


@pytest.mark.parametrize(
    "cell",
    [
        *("256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "localhost", "\u0661.2.3.4", 7, True, "1.2.3.4\n5"),
        *("1.2.3.4:http", "1.2.3.xxx", "[1.2.3", "]", "()", "/32", ":80", "for=", "2001:db8::1::2", 1.5, {"ip": 1}),
    ],
)
def test_what_is_no_ip_address_is_left_out(cell):
    transform = new_transform()
    assert "client_ip_address" not in sent(good(ip=cell), transform)["user_data"]
    assert transform.warnings == {"unusable_client_ip_address": 1}


@pytest.mark.parametrize(
    "cell",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.31.255.255", "192.168.1.1"),  # noqa: S104
        *("224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fd00::1", "ff02::1"),
        *("::ffff:10.0.0.1", "10.0.0.1:80", "[::1]:80", "10.0.0.1, 192.168.0.1", "fe80::1%ada@example.com"),
    ],
)
def test_an_address_of_many_is_no_match_key(cell):
    row = {**UNIDENTIFIED, "ip": cell}
    assert reasons(row) == [("no_match_key", "user_data")]
    transform = new_transform()
    assert "client_ip_address" not in sent(good(ip=cell), transform)["user_data"]
    assert transform.warnings == {"unusable_client_ip_address": 1}


@pytest.mark.parametrize(
    "cell", ["100.63.0.1", "100.128.0.1", "172.15.0.1", "172.32.0.1", "169.253.0.1", "192.167.1.1"]
)
def test_neighbours_of_private_addresses_are_public(cell):
    assert sent(good(ip=cell))["user_data"]["client_ip_address"] == cell


@given(st.ip_addresses() | st.ip_addresses().map(str) | st.text("0123456789.:abcf%@"))
def test_an_ip_address_is_one_for_the_standard_library_too(cell):
    found = sent(good(ip=cell))["user_data"].get("client_ip_address")
    assert found is None or str(ipaddress.ip_address(found)) == found


@pytest.mark.parametrize("column", ["user_agent", "click_id", "partner_id"])
@pytest.mark.parametrize("cell", ["Mozilla ada@example.com", b"Mozilla ada@example.com"])
def test_what_goes_out_unhashed_holds_no_address(column, cell):
    transform = new_transform()
    assert set(sent(good(**{column: cell}), transform)["user_data"]) == {"em"}
    assert transform.warnings == {"personal_data_in_plain_field": 1}


# For any text


@given(st.sampled_from(HASHED), st.text() | st.integers() | st.floats() | st.lists(st.text()) | st.dates())
def test_only_hashes_go_out_whatever_the_cell(name, cell):
    found, warnings = sent_identifier(name, cell)
    assert found is None or (found and all(map(is_hash, found)))
    assert set(warnings) <= {f"unusable_{name}", *({"phone_without_country"} if name == "ph" else ())}
    assert found != [sha("")]


@pytest.mark.parametrize("name", [name for name in HASHED if name != "db"])
@pytest.mark.parametrize("cell", [dt.date(4939, 1, 1), dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)])
@pytest.mark.parametrize("form", [lambda cell: cell, lambda cell: [cell]], ids=["cell", "list"])
def test_a_date_is_only_a_date_of_birth(name, cell, form):
    assert sent_identifier(name, form(cell)) == (None, {f"unusable_{name}": 1})


@given(st.sampled_from([name for name in HASHED if name != "external_id"]), st.text(string.printable))
def test_case_and_surrounding_space_do_not_matter(name, cell):
    assert (
        sent_identifier(name, cell)
        == sent_identifier(name, f" \t{cell.upper()}\n")
        == sent_identifier(name, cell.lower())
    )


@given(st.text(string.printable))
def test_space_around_an_external_id_does_not_matter_and_its_case_does(cell):
    found, _ = sent_identifier("external_id", cell)
    assert sent_identifier("external_id", f" {cell} ")[0] == found
    if (
        cell.upper() != cell
        and cell.strip().lower() not in {*PLACEHOLDERS, "true", "false"}
        and not cell.lstrip().startswith(("[", "{"))
        and not is_hash(cell.lower().strip())
    ):
        assert sent_identifier("external_id", cell.upper())[0] != found


@given(st.sampled_from(HASHED), st.text())
def test_composed_and_decomposed_text_is_the_same(name, cell):
    composed = sent_identifier(name, unicodedata.normalize("NFC", cell))
    assert sent_identifier(name, unicodedata.normalize("NFD", cell)) == composed


@given(st.emails().filter(lambda cell: cell[0] not in "'`" and "*" not in cell))
def test_any_address_is_usable_in_any_case(cell):
    assert sent_identifier("em", cell.upper()) == ([sha("".join(cell.lower().split()))], {})


@given(
    st.dates(min_value=dt.date(1900, 1, 2), max_value=dt.date(2099, 12, 31)),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y"]),
)
def test_any_date_of_birth_since_1900_is_usable(day, form):
    assert (
        sent_identifier("db", day.strftime(form)) == sent_identifier("db", day) == ([sha(day.strftime("%Y%m%d"))], {})
    )


@given(st.integers(1, 10**6))
def test_space_and_punctuation_of_a_city_do_not_matter(number):
    assert sent_identifier("ct", f"St. {number}'s - Town") == ([sha(f"st{number}stown")], {})


# The cache of cities and names


def recording(calls):
    def read(cell):
        calls.append(cell)
        return [repr(cell)]

    return read


def parsed_column(parser, *cells):
    return [parser.decode(member) for member in parser.encode(cells, None)]


def test_what_repeats_is_hashed_once():
    calls: list[str] = []
    parser = CachedParser("ct", recording(calls))
    assert (
        parsed_column(parser, "a", "a", None, "b")
        == parsed_column(parser, "a", "a", None, "b")
        == [["'a'"], ["'a'"], None, ["'b'"]]
    )
    assert calls == ["a", "b"]


def test_memory_is_bounded():
    calls: list[str] = []
    parser = CachedParser("ct", recording(calls), size=2)
    assert parsed_column(parser, *"abcabc") == [[repr(cell)] for cell in "abcabc"]
    assert calls == ["a", "b", "c", "c"]


def test_only_text_is_remembered():
    """``1``, ``1.0`` and ``True`` are one key of a dict and three different cells."""
    parser = CachedParser("ct", lambda cell: [repr(cell)])
    assert parsed_column(parser, 1, 1.0, True, [1]) == [["1"], ["1.0"], ["True"], ["[1]"]]


def test_what_is_unusable_is_warned_of_each_time():
    transform = new_transform()
    for number in range(3):
        sent(good(event_id=number, city="---"), transform)
    assert transform.warnings == {"unusable_ct": 3}


def sent_birthday(cell, timezone):
    transform = new_transform(timezone=timezone)
    return sent(good(birthday=cell), transform)["user_data"].get("db"), dict(transform.warnings)


@pytest.mark.parametrize(
    ("cell", "timezone", "date"),
    [
        ("1985-03-14 23:00:00+00:00", "Europe/Berlin", "19850315"),
        ("1985-07-14T22:00:00Z", "Europe/Berlin", "19850715"),
        ("1985-03-14T23:00:00.000Z", "Europe/Berlin", "19850315"),
        ("1985-03-14 23:00:00 UTC", "Europe/Berlin", "19850315"),
        ("1985-03-14 23:00:00+00", "Europe/Berlin", "19850315"),
        ("19850314T230000Z", "Europe/Berlin", "19850315"),
        ("1979-12-31T23:00:00Z", "Europe/Berlin", "19800101"),
        ("1985-03-14T15:00:00Z", "Asia/Tokyo", "19850315"),
        ("1985-03-15T05:00:00Z", "America/New_York", "19850315"),
        ("1985-03-15T00:00:00+01:00", "UTC", "19850315"),
        ("1985-03-15T00:00:00Z", "Europe/Berlin", "19850315"),
        ("1985-03-14T22:00:00Z", "Europe/Berlin", "19850314"),
        ("1985-03-14 23:00:00", "Europe/Berlin", "19850314"),
        ("1985-03-14T23:00:00Z", "UTC", "19850314"),
        ("1992-05-31T21:00:00Z", "Asia/Beirut", "19920601"),
        (dt.datetime(1985, 3, 14, 23, tzinfo=dt.UTC), "Europe/Berlin", "19850315"),
        (dt.datetime(1985, 3, 14, 23), "Europe/Berlin", "19850314"),  # noqa: DTZ001
        (dt.datetime(1985, 3, 15, tzinfo=ZoneInfo("Europe/Berlin")), "UTC", "19850315"),
        (["1985-03-14T23:00:00Z"], "Europe/Berlin", "19850315"),
        ([dt.datetime(1985, 3, 14, 23, tzinfo=dt.UTC)], "Europe/Berlin", "19850315"),
        (dt.date(1985, 3, 14), "Europe/Berlin", "19850314"),
    ],
)
def test_a_birthday_that_is_midnight_somewhere_is_the_date_there(cell, timezone, date):
    assert sent_birthday(cell, timezone) == ([sha(date)], {})


@pytest.mark.parametrize("cell", ["9999-12-31T23:00:00Z", dt.datetime(1, 1, 1, tzinfo=dt.UTC), "1985-13-14T23:00:00Z"])
def test_an_instant_that_is_no_birthday_is_left_out(cell):
    assert sent_birthday(cell, "America/New_York") == (None, {"unusable_db": 1})


@pytest.mark.parametrize(
    ("cell", "country"),
    [
        *(
            ("XK", "xk"),
            ("XKX", "xk"),
            ("Kosovo", "xk"),
            ("Kosova", "xk"),
            ("Косово", "xk"),
            ("Republic of Kosovo", "xk"),
        ),
        *(("UK", "gb"), ("EL", "gr"), ("XI", "gb"), ("GB-ENG", "gb"), ("GER", "de"), ("SUI", "ch"), ("NED", "nl")),
        *(
            ("DD", "de"),
            ("TP", "tl"),
            ("ZR", "cd"),
            ("BU", "mm"),
            ("FX", "fr"),
            ("IC", "es"),
            ("ROM", "ro"),
            ("AC", "sh"),
        ),
    ],
)
def test_codes_that_iso_does_not_assign_are_known(cell, country):
    assert sent_identifier("country", cell) == ([sha(country)], {})


@pytest.mark.parametrize("cell", ["YU", "SU", "CS", "AN", "XQ", "ZZ", "000", "EU"])
def test_codes_of_no_single_country_are_left_out(cell):
    assert sent_identifier("country", cell) == (None, {"unusable_country": 1})
