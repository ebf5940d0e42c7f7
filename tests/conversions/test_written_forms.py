"""Identifiers as people, forms and programs write them, and placeholders."""

from __future__ import annotations

import datetime as dt
import ipaddress
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from tests.conversions.rows import good, new_transform, reasons, sent, sent_identifier, sha

MEANT: list[tuple[str, Any, str]] = [
    ("em", "jane@example.com Jane Doe", "jane@example.com"),
    ("em", "jane@example.com deleted", "jane@example.com"),
    ("em", "jane@example.com  2", "jane@example.com"),
    ("em", "jane@ example.com", "jane@example.com"),
    ("em", "jane@example. com", "jane@example.com"),
    ("em", "E-Mail: Jane@example.com", "jane@example.com"),
    ("em", "email:jane@example.com", "jane@example.com"),
    ("em", "Email jane@example.com", "jane@example.com"),
    ("em", "SMTP:jane@example.com", "jane@example.com"),
    ("em", "email@example.com", "email@example.com"),
    ("em", "mail-in@example.com", "mail-in@example.com"),
    ("em", "jane@example\u3002com", "jane@example.com"),
    *(("ge", word, "f") for word in ("Mrs.", "Frau", "weiblich", "Femme", "femenino", "Feminino", "donna", "vrouw")),
    *(("ge", word, "f") for word in ("KVINNA", "\u0436\u0435\u043d\u0441\u043a\u0438\u0439", "\u5973\u6027", "F.")),
    *(("ge", word, "f") for word in ("(F)", "'F'", "Gender.FEMALE", "gender_female", "f\u00e9minin")),
    *(("ge", word, "m") for word in ("Mr", "Herr", "m\u00e4nnlich", "homme", "Masculino", "uomo", "man", "\u7537")),
    *(("ge", word, "n") for word in ("divers", "D", "non_binary", "NON-BINARY", "Non Binary", "nb")),
    ("db", "3 April 1990", "19900403"),
    ("db", "April 3, 1990", "19900403"),
    ("db", "Apr 3rd, 1990", "19900403"),
    ("db", "03-APR-1990", "19900403"),
    ("db", "3rd Sept. 1990", "19900903"),
    ("db", "03-Apr-1990 00:00:00", "19900403"),
    ("db", "25/12/1990 00:00:00", "19901225"),
    ("db", "12/25/1990 12:00:00 AM", "19901225"),
    ("db", "12/25/1990, 12:00:00 AM", "19901225"),
    ("db", "25.12.1990 00:00", "19901225"),
    ("db", "19900403.0", "19900403"),
    ("db", 19900403.0, "19900403"),
    ("db", "1990\u5e744\u67083\u65e5", "19900403"),
    ("fn", "Zo&euml;", "zo\u00eb"),
    ("ln", "O&#39;Neill", "o'neill"),
    ("ln", "Smith & Sons; Ltd", "smith & sons; ltd"),
    ("ct", "K&ouml;ln", "k\u00f6ln"),
    ("ct", "100 Mile House", "100milehouse"),
    ("external_id", "0815", "0815"),
    ("external_id", "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    ("external_id", "truer", "truer"),
    ("hashed_maids", "urn:uuid:AEBE52E7-03EE-455A-B3C4-E57283966239", "aebe52e7-03ee-455a-b3c4-e57283966239"),
]


@pytest.mark.parametrize(("name", "cell", "text"), MEANT, ids=[f"{name}-{cell}" for name, cell, _ in MEANT])
def test_what_is_meant_is_hashed(name, cell, text):
    assert sent_identifier(name, cell) == ([sha(text)], {})


NOT_MEANT: list[tuple[str, Any]] = [
    ("em", "Jane Mary Doe jane@example.com"),
    ("em", "please write to jane@example.com"),
    ("em", "j***@example.com"),
    ("em", "***@example.com"),
    ("em", "jane@***.com"),
    ("em", '{"email": "jane@example.com"}'),
    ("db", "1900-01-01"),
    ("db", "01.01.1900"),
    ("db", dt.date(1900, 1, 1)),
    ("db", dt.datetime(1900, 1, 1)),  # noqa: DTZ001
    ("db", "1899-12-30"),
    ("db", "2999-12-31"),
    ("db", "9999-12-31"),
    ("db", dt.date(9999, 12, 31)),
    ("db", "Foo 3, 1990"),
    ("db", "April 1990"),
    ("db", "3 April 3 1990"),
    ("db", "03-Apr-90"),
    ("fn", "."),
    ("fn", "***"),
    ("fn", "0"),
    ("fn", 0),
    ("fn", "1990-01-01"),
    ("fn", dt.date(1990, 1, 1)),
    ("ln", "+1 415 555 2671"),
    ("ln", "jane@example.com"),
    ("ln", '{"first": "Jane"}'),
    ("ct", "0"),
    ("ct", "10115"),
    ("ct", "jane@example.com"),
    ("ct", '{"city": "Berlin"}'),
    ("external_id", "0"),
    ("external_id", 0),
    ("external_id", 0.0),
    ("external_id", Decimal(0)),
    ("external_id", "000"),
    ("external_id", "-1"),
    ("external_id", -1),
    ("external_id", "false"),
    ("external_id", "True"),
    ("external_id", UUID(int=0)),
    ("external_id", '{"id": 4711}'),
    ("external_id", ' {"id": "C-4711"} '),
    ("hashed_maids", "11111111-1111-1111-1111-111111111111"),
    ("hashed_maids", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
    ("hashed_maids", "00000000000000000000000000000000"),
]


@pytest.mark.parametrize(("name", "cell"), NOT_MEANT, ids=[f"{name}-{cell!r}" for name, cell in NOT_MEANT])
def test_what_stands_in_its_place_is_left_out(name, cell):
    assert sent_identifier(name, cell) == (None, {f"unusable_{name}": 1})


def test_guests_are_not_one_person():
    """Shops give id 0 to everybody who buys without an account."""
    assert sent_identifier("external_id", ["browser-1", 0]) == ([sha("browser-1")], {"unusable_external_id": 1})
    assert sent_identifier("external_id", '["browser-1", "0"]') == ([sha("browser-1")], {"unusable_external_id": 1})
    assert sent_identifier("external_id", "0", case="lower") == (None, {"unusable_external_id": 1})


@pytest.mark.parametrize(
    ("home", "cell", "text"),
    [
        ("DE", "D-01067", "01067"),
        ("DE", "D 01067", "01067"),
        ("DE", "DE 01067", "01067"),
        ("FR", "F-75001", "75001"),
        ("AT", "A-1010", "1010"),
        ("BE", "B-1000", "1000"),
        ("LU", "L-1009", "1009"),
        ("LV", "LV-1010", "1010"),
        ("FI", "FIN-00100", "00100"),
        ("SE", "S-111 22", "11122"),
        ("PL", 950, "00950"),
        ("PL", 950.0, "00950"),
        ("CN", 10010, "010010"),
        ("SG", 18956, "018956"),
        ("SK", 1001, "01001"),
        ("CO", 50001, "050001"),
        ("JP", "\uff11\uff10\uff10\u2212\uff10\uff10\uff10\uff11", "1000001"),
        ("JP", "\u3012100-0001", "1000001"),
        ("US", "CA 94107", "94107"),
        ("US", "94107, CA", "94107"),
        ("US", "z:94107", "94107"),
        ("US", "'02139", "02139"),
        ("US", '="02139"', "02139"),
        ("US", "(94107)", "94107"),
        ("GB", "sw1a 1aa.", "sw1a1aa"),
        ("GB", "E1 6AN", "e16an"),
        ("AR", "C1425CLA", "c1425cla"),
        ("IE", "d02 x285", "d02x285"),
        (None, "sw1a 1aa", "sw1a1aa"),
    ],
)
def test_postal_codes_with_what_surrounds_them(home, cell, text):
    assert sent_identifier("zp", cell, home) == ([sha(text)], {})


@pytest.mark.parametrize(
    ("home", "cell"),
    [
        *(("US", cell) for cell in ("XX 94107", "San Francisco", "94107 Paris", "9.4107E4")),
        *(("GB", cell) for cell in ("London", "+44 7700 900123", "jane@example.com", "10 Downing Street")),
        *(("DE", cell) for cell in ("10115 Berlin", "1010 Wien", "Berlin", "00000")),
        *((home, cell) for home in ("HK", "AE", "IE") for cell in ("0", "000", "00000", "0000")),
    ],
)
def test_other_texts_are_no_postal_codes(home, cell):
    assert sent_identifier("zp", cell, home) == (None, {"unusable_zp": 1})


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        *((name, "de") for name in ("Deutschland", "ALLEMAGNE", "Alemania", "Deutschland (DE)", "Germany/Deutschland")),
        *(
            (name, "us")
            for name in ("Estados Unidos", "\u00c9tats-Unis", "Etats Unis", "Vereinigte Staaten", "EE. UU.")
        ),
        *((name, "gb") for name in ("Vereinigtes K\u00f6nigreich", "Royaume-Uni", "Reino Unido")),
        *((name, "es") for name in ("Espa\u00f1a", "Espana", "Spanien", "Espagne")),
        *((name, "jp") for name in ("\u65e5\u672c", "Jap\u00f3n")),
        ("\u00d6sterreich", "at"),
        ("Oesterreich", "at"),
        ("Schweiz", "ch"),
        ("Brasil", "br"),
        ("Nederland", "nl"),
        ("Polska", "pl"),
        ("\u0420\u043e\u0441\u0441\u0438\u044f", "ru"),
        ("\u0395\u03bb\u03bb\u03ac\u03b4\u03b1", "gr"),
        ("\ub300\ud55c\ubbfc\uad6d", "kr"),
        ("Sverige", "se"),
        ("Suomi", "fi"),
    ],
)
def test_countries_in_their_own_and_other_languages(cell, code):
    assert sent_identifier("country", cell) == ([sha(code)], {})


@pytest.mark.parametrize(
    ("cell", "code"), [("Washington State", "wa"), ("New York state", "ny"), ("State of Georgia", "ga")]
)
def test_states_that_are_called_states(cell, code):
    assert sent_identifier("st", cell, "US") == ([sha(code)], {})


class Currency(Enum):
    EUR = "eur"


class Sex(Enum):
    FEMALE = "f"


@pytest.mark.parametrize("cell", ["\ufeffEUR", "EUR\u200b", "eur\x00\x00", '"EUR"', b"EUR", Currency.EUR])
def test_a_currency_with_what_nobody_sees(cell):
    assert sent(good(currency=cell, value=1))["custom_data"]["currency"] == "EUR"


@pytest.mark.parametrize("cell", ["\ufeff72.390", "72.390\x00", "\u200b72.390 ", "72.390\u2060"])
def test_a_value_with_what_nobody_sees(cell):
    assert sent(good(value=cell))["custom_data"]["value"] == "72.390"


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-11-21 20:45:40 GMT", "2026-11-21T20:45:40Z[UTC]", "2026-11-21T20:45:40[UTC]"),
        *("2026-11-21 20:45:40 +0000 UTC", "2026-11-21T21:45:40+01:00[Europe/Berlin]", "2026-11-21T20:45:40UTC"),
        *("20261121204540", 20261121204540, "\ufeff2026-11-21T20:45:40Z", "2026-11-21T20:45:40Z\x00"),
    ],
)
def test_times_with_the_name_of_their_zone_and_without_marks(cell):
    expected = int(dt.datetime(2026, 11, 21, 20, 45, 40, tzinfo=dt.UTC).timestamp())
    assert sent(good(event_time=cell))["event_time"] == expected


@pytest.mark.parametrize("cell", ["2026-11-21 20:45:40 [Europe/Berlin]", "2026-11-21 20:45:40 CET", "20261321204540"])
def test_times_whose_zone_is_only_named_are_refused(cell):
    assert reasons(good(event_time=cell)) in ([("bad_time", "event_time")], [("future_event_time", "event_time")])


def test_members_of_enumerations_are_their_values():
    assert sent_identifier("ge", Sex.FEMALE) == ([sha("f")], {})
    assert sent(good(action_source=Enum("Source", {"WEB": "web"}).WEB))["action_source"] == "web"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        (ipaddress.ip_network("198.51.100.7/32"), "198.51.100.7"),
        (ipaddress.ip_network("2001:db8::7/128"), "2001:db8::7"),
        (ipaddress.ip_interface("198.51.100.7/24"), "198.51.100.7"),
        ("198.51.100.7/24", "198.51.100.7"),
        (ipaddress.ip_network("198.51.100.0/24"), None),
        ("198.51.100.0/24", None),
        ("2001:db8::/64", None),
    ],
)
def test_an_address_with_a_mask_is_no_network(cell, address):
    assert sent(good(ip=cell, user_agent="Mozilla"))["user_data"].get("client_ip_address") == address


def test_line_items_of_todays_woocommerce_are_read():
    line = {"id": 315, "name": "Mug", "product_id": 93, "quantity": 2, "price": 3, "sku": "", "global_unique_id": ""}
    [found] = sent(good(items=[line]))["custom_data"]["contents"]
    assert found == {"id": "93", "item_name": "Mug", "item_price": "3", "quantity": 2}


@pytest.mark.parametrize("cell", ["LDP", "ldp", ["LDP"], '["LDP"]', ("ldp",), '"LDP"', b"LDP", "LDP;", "|ldp"])
def test_a_wish_for_limited_data_processing_in_any_shape_is_understood(cell):
    event = sent(good(opt_out_type=cell, state="CA", country="US"))
    assert event["custom_data"]["opt_out_type"] == "LDP"
    assert len(event["user_data"]["st"]) == 2
    assert reasons(good(opt_out_type=cell)) == [("ldp_without_region", "custom_data.opt_out_type")]


@pytest.mark.parametrize("cell", ["none", "N/A", "null", "-", "(not set)", "[]", ["none"]])
def test_words_for_nothing_are_no_flags(cell):
    assert "custom_data" not in sent(good(opt_out_type=cell))


@pytest.mark.parametrize("cell", ["jane@example.com", "LDP,jane@example.com", "jane%40example.com"])
def test_an_address_is_no_flag(cell):
    assert reasons(good(opt_out_type=cell, state="CA", country="US")) == [("bad_value", "custom_data.opt_out_type")]


@pytest.mark.parametrize("cell", [b"\x01", "\x01", bytearray(b"\x01"), Decimal("1.00"), "1.00", 1.0])
def test_a_bit_and_a_decimal_are_booleans(cell):
    """A bit of a database comes as a byte that looks empty; it must not count as empty."""
    assert sent(good(opt_out=cell))["opt_out"] is True


@pytest.mark.parametrize("cell", [b"\x00", "\x00", Decimal("0.00"), "0.00", 0.0])
def test_so_are_their_opposites(cell):
    assert sent(good(opt_out=cell))["opt_out"] is False


@pytest.mark.parametrize("cell", ["\x02", b"\x01\x01", "\u200b", "\ufeff", Decimal("1.5"), Decimal("Infinity")])
def test_what_nobody_sees_is_no_answer(cell):
    assert reasons(good(opt_out=cell)) == [("bad_type", "opt_out")]


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("jane@example.com", None),
        (["1", "jane@example.com"], ["1"]),
        ('["jane%40example.com", "1", "2"]', ["1", "2"]),
        (["1", {}, "jane@example.com"], ["1"]),
        (["cap@home"], ["cap@home"]),
    ],
)
@pytest.mark.parametrize("path", ["custom_data.content_ids", "device_info.languages"])
def test_addresses_in_lists_of_texts_are_left_out(path, cell, kept):
    transform = new_transform()
    place, name = path.split(".")
    assert sent(good(**{path: cell}), transform).get(place, {}).get(name) == kept
    assert bool(transform.warnings) == (kept != cell)
