"""A telephone number keeps its meaning, or is left out."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions import numbering_plans, telephones
from tests.conversions.rows import good, new_transform, sent, sha

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def trunk_prefix(region):
    metadata: Any = phonenumbers.PhoneMetadata.metadata_for_region(region)
    return metadata.national_prefix


def sent_phone(cell, *, home=None, **switches):
    """Return what is sent for a telephone number, and the warnings."""
    transform = new_transform(identifiers={"ph": switches} if switches else {})
    return sent(good(phone=cell, country=home), transform)["user_data"].get("ph"), dict(transform.warnings)


SHOWN = [
    ("+14155552671", "14155552671"),
    ("+1 (415) 555-2671", "14155552671"),
    ("+1.415.555.2671", "14155552671"),
    ("+1/415/555-2671", "14155552671"),
    ("(+1) 415 555 2671", "14155552671"),
    ("+(1) 415 555 2671", "14155552671"),
    ("+1 1 415 555 2671", "14155552671"),
    ("001 415 555 2671", "14155552671"),
    ("+001 415 555 2671", "14155552671"),
    ("011 49 170 1234567", "491701234567"),
    ("0011 61 2 9332 3633", "61293323633"),
    ("+1 415 555 2671 ext. 12", "14155552671"),
    ("+1 415 555 2671 x12", "14155552671"),
    ("+1 415 555 2671 #12", "14155552671"),
    ("+1 415 555 2671 (ext 12)", "14155552671"),
    ("+1 415 555 2671, extension: 1234", "14155552671"),
    ("+1 415 555 2671,,12#", "14155552671"),
    ("tel:+1-415-555-2671;ext=12", "14155552671"),
    ("Tel.: +1 415 555 2671", "14155552671"),
    ("whatsapp:+14155552671", "14155552671"),
    ("+49 711 2842222 Durchwahl 3", "497112842222"),
    ("+49 711 2842222/3", "497112842222"),
    ("+14155552671.0", "14155552671"),
    ("'+14155552671", "14155552671"),
    ('"+14155552671"', "14155552671"),
    ("\uff0b\uff11 \uff08415\uff09 555\uff0d2671", "14155552671"),
    ("\u202a+1\u00a0415\u2011555\u20132671\u202c", "14155552671"),
    ("\u200e+49 30 901820", "4930901820"),
    ("+\u0664\u0669 \u0663\u0660 901820", "4930901820"),
    # trunk prefixes
    ("+49 0711 2842222", "497112842222"),
    ("+49 (0)711 2842222", "497112842222"),
    ("+49(0)711/2842222", "497112842222"),
    ("0049 0711 2842222", "497112842222"),
    ("+44 020 7946 0958", "442079460958"),
    ("+44 0113 496 0000", "441134960000"),
    ("+44 (0)20 7946 0958", "442079460958"),
    ("+61 (02) 9332 3633", "61293323633"),
    ("+33 01 47 42 71 71", "33147427171"),
    ("+43 01 5134505", "4315134505"),
    ("+32 02 219 03 03", "3222190303"),
    ("+31 020 6223130", "31206223130"),
    ("+46 08-651 52 52", "4686515252"),
    ("+353 01 6792424", "35316792424"),
    ("+358 09 870 2000", "35898702000"),
    ("+91 080 22289999", "918022289999"),
    ("+55 (12) 3923-5555", "551239235555"),
    ("+55 (011) 3033-5446", "551130335446"),
    ("+54 (0)11 4311 4333", "541143114333"),
    ("+54 11 15 1234 5678", "5491112345678"),
    ("+7 8 912 345 67 89", "79123456789"),
    ("+7 812 345 67 89", "78123456789"),
    ("+36 06 20 123 4567", "36201234567"),
    ("+370 8 612 34567", "37061234567"),
    ("+375 8 029 123 45 67", "375291234567"),
    ("+972 (0)50-234-5678", "972502345678"),
    ("+86 010 12345678", "861012345678"),
    # zeros that belong to the number
    ("+39 06 39733434", "390639733434"),
    ("+39 (0)6 39733434", "390639733434"),
    ("+39 347 1234567", "393471234567"),
    ("+39 0347 1234567", "393471234567"),
    ("+225 07 12 34 56 78", "2250712345678"),
    ("+378 0549 886377", "3780549886377"),
    # the prefixes of Mexico's old numbering plan
    ("+52 1 55 1234 5678", "525512345678"),
    ("+5215512345678", "525512345678"),
    ("0052 1 33 3123 4567", "523331234567"),
    ("+52 (01) 81 8123 4567", "528181234567"),
    ("+52 044 55 1234 5678", "525512345678"),
    ("+52 55 1234 5678", "525512345678"),
    # how lead forms and Japanese keyboards write them
    ("p:+14155552671", "14155552671"),
    ("+81\u30fc90\u30fc1234\u30fc5678", "819012345678"),
    ("+81 90\uff701234\uff705678", "819012345678"),
    # zeros that never belong to it
    ("+34 (0)914 454 454", "34914454454"),
    ("+45 (0)34 53 45 45", "4534534545"),
    ("+420 2 4172 5555", "420241725555"),
]


@pytest.mark.parametrize(("cell", "digits"), SHOWN, ids=[cell for cell, _ in SHOWN])
@pytest.mark.parametrize(("home", "switches"), [(None, {}), ("US", {}), ("FR", {"country": "DE"})], ids=str)
def test_a_number_that_shows_its_country_code_is_that_number(cell, digits, home, switches):
    if cell.startswith("011") and home == "FR":
        pytest.skip("in France 01 is Paris")
    assert sent_phone(cell, home=home, **switches) == ([sha(digits)], {})


@pytest.mark.parametrize(
    ("home", "cell", "digits"),
    [
        ("DE", "0711 2842222", "497112842222"),
        ("Germany", "0711/2842222", "497112842222"),
        (sha("de"), "0711 2842222", "497112842222"),
        (sha("DE"), "0711 2842222", "497112842222"),
        ("DE", 1701234567, "491701234567"),
        ("DE", 1701234567.0, "491701234567"),
        ("DE", Decimal("1701234567.00"), "491701234567"),
        ("DE", "491701234567", "491701234567"),
        ("DE", "14155552671", "14155552671"),
        ("US", "(415) 555-2671", "14155552671"),
        ("US", "415.555.2671", "14155552671"),
        ("US", "1-415-555-2671", "14155552671"),
        ("US", "415-555-2671 x12", "14155552671"),
        ("US", "011 49 170 1234567", "491701234567"),
        ("US", "4155552671.0", "14155552671"),
        ("GB", "020 7946 0958", "442079460958"),
        ("GB", "07700 900123", "447700900123"),
        ("GB", "447700900123", "447700900123"),
        ("FR", "06 12 34 56 78", "33612345678"),
        ("IT", "06 39733434", "390639733434"),
        ("BR", "(11) 98765-4321", "5511987654321"),
        ("BR", "0 15 11 98765-4321", "5511987654321"),
        ("AR", "011 15 1234 5678", "5491112345678"),
        ("KR", "001 49 170 1234567", "491701234567"),
        ("KR", "00700 49 170 1234567", "491701234567"),
        ("JP", "010 1 415 555 2671", "14155552671"),
        ("MX", "55 1234 5678", "525512345678"),
        ("MX", "01 55 1234 5678", "525512345678"),
        ("MX", "044 55 1234 5678", "525512345678"),
        ("MX", "045 33 3123 4567", "523331234567"),
        ("MX", "5215512345678", "525512345678"),
        ("MX", 5215512345678, "525512345678"),
        ("JP", "090\u30fc1234\u30fc5678", "819012345678"),
        ("RU", "8 (912) 345-67-89", "79123456789"),
        ("AU", "(02) 9332 3633", "61293323633"),
        ("IN", "9198765432", "919198765432"),
        ("CN", "13912345678", "8613912345678"),
        ("DK", "34 53 45 45", "4534534545"),
        ("ZA", "011 123 4567", "27111234567"),
        ("JE", "01534 123456", "441534123456"),
    ],
)
def test_other_numbers_are_of_the_rows_country(home, cell, digits):
    found, warnings = sent_phone(cell, home=home)
    assert found == [sha(digits)]
    assert set(warnings) <= {"phone_without_country"}


@pytest.mark.parametrize(
    ("home", "cell"),
    [
        *((None, cell) for cell in ("+1 000 000 0000", "+10000000000", "+1 (555) 555-5555", "+49 00000000")),
        *((None, cell) for cell in ("+4911111111111", "0049 99999999", "+99999999999", "15555555555")),
        *(("US", cell) for cell in ("000-000-0000", "999-999-9999", "9999999999", 5555555555)),
        *(("DE", cell) for cell in ("0999999999", "11111111111")),
    ],
)
def test_one_digit_over_and_over_is_nobodys_number(home, cell):
    assert sent_phone(cell, home=home) == (None, {"unusable_ph": 1})


@pytest.mark.parametrize("cell", ["+1234567890", "+1 415 555 267", "+1 415 555", "+1 055 555 2671", "+1 155 555 2671"])
def test_an_american_number_is_whole(cell):
    assert sent_phone(cell) == (None, {"unusable_ph": 1})


def test_the_switch_is_for_rows_in_whose_country_there_is_no_such_number():
    assert sent_phone("0711 2842222", country="DE") == ([sha("497112842222")], {})
    assert sent_phone("0711 2842222", home="US", country="DE") == ([sha("497112842222")], {})
    assert sent_phone("020 7946 0958", home="GB", country="DE") == ([sha("442079460958")], {})


@pytest.mark.parametrize("cell", ["14155552671", 14155552671, 14155552671.0, "14155552671.0", "1 (415) 555-2671"])
def test_digits_with_a_country_code_pass_with_a_warning_where_nothing_tells_the_country(cell):
    assert sent_phone(cell) == ([sha("14155552671")], {"phone_without_country": 1})
    assert sent_phone([cell, "+49 30 901820"]) == (
        [sha("14155552671"), sha("4930901820")],
        {"phone_without_country": 1},
    )
    assert sent_phone([cell, "nobody"]) == ([sha("14155552671")], {"unusable_ph": 1})


@pytest.mark.parametrize("cell", ["491701234567", "447911123456", "447700900123", "33612345678", "442079460958"])
def test_such_digits_are_numbers_of_any_country(cell):
    assert sent_phone(cell) == ([sha(cell)], {"phone_without_country": 1})


UNUSABLE = [
    *(4.42079e11, "442079000000", "442079000000.0", 14155600000, Decimal("4.42079E+11")),
    *("0711 2842222", "020 7946 0958", "(415) 555-2671", "4155552671", "2125550147", "555-1234", "13912345678"),
    *("4.9E+11", "4.91701E+11", "1.4155552671E10", "4,9E+11", "14,155,552,671"),
    *("14155552671.5", "+14155552671.5", "-14155552671", "- 14155552671"),
    *("2026-11-21", "2026/11/21", "21.11.2026", "11/21/2026", "21-11-2026", "2026-11-21 10:00:00", "20261121"),
    *("1700000000", "1700000000000", "192.168.101.10", "198.51.100.77", "192.168.101.10:8080", "2001:db8::12345678"),
    *("ada@example.com", "ada1234567@example.com", "YWRhQGV4YW1wbGU=", "MTQxNTU1NTI2NzE=", "a14155552671"),
    *("+1 800 FLOWERS", "1-800-FLOWERS", "+49 30 901820 / +49 30 901821", "0170 1234567 / 0171 7654321"),
    *("+49 30 901820 oder 901821", "+", "++49 30 901820", "+49+30901820", "+0 30 901820", "000000000", "+000000000"),
    *("123-45-6789", "4111 1111 1111 1111", "+4111111111111111", "*69", "#31#", "+49", "+49 0", "+49 000 0000"),
    *("+1 415 555 2671 1234", "+149 170 1234567", "+1 (415) 555-26711"),
    *("38400000-8cf0-11bd-b23e-10b96e40000d", "(", ")", "+()", "1" * 40, "\u00bd4155552671", "\u2460415555267"),
]


@pytest.mark.parametrize("cell", UNUSABLE)
def test_what_may_be_another_number_is_left_out(cell):
    assert sent_phone(cell) == (None, {"unusable_ph": 1})


@pytest.mark.parametrize("cell", [cell for cell in UNUSABLE[12:] if cell not in {"20261121", "1700000000"}])
@pytest.mark.parametrize("home", ["US", "DE"])
def test_a_country_makes_no_number_of_other_things(cell, home):
    assert sent_phone(cell, home=home)[0] is None


@pytest.mark.parametrize("region", REGIONS)
def test_the_example_number_of_a_region_is_read_in_each_of_its_forms(region):
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
        international = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        assert telephones.read(f"+{digits}", ()).digits == digits
        assert telephones.read(international, ()).digits == digits
        assert telephones.read(f"00{digits}", ()).digits == digits
        assert telephones.read(national, (region,)).digits == digits


@pytest.mark.parametrize("region", [region for region in REGIONS if trunk_prefix(region)])
def test_a_trunk_prefix_after_the_country_code_is_dropped(region):
    number: Any = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE)
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    rest = digits.removeprefix(str(number.country_code))
    assert telephones.read(f"+{number.country_code} ({trunk_prefix(region)}) {rest}", ()).digits == digits


@given(st.sampled_from(REGIONS), st.data())
def test_a_plain_number_is_the_number_that_the_library_reads(region, data):
    code = str(phonenumbers.country_code_for_region(region))
    digits = code + data.draw(st.text("0123456789", min_size=4, max_size=15 - len(code)))
    found = telephones.plain(f"+{digits}")
    if not found:
        return
    assert found.decode() == digits
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return
    read = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    assert not phonenumbers.is_valid_number(number) or read == digits


@given(st.text("+0123456789 ()-./\u00a0x,", max_size=25), st.sampled_from([(), ("US",), ("DE",), ("IT", "GB")]))
def test_what_is_read_has_the_digits_of_the_text_or_fewer(text, regions):
    found = telephones.read(text.strip(), regions).digits
    assert found == "" or (found.isdecimal() and 7 <= len(found) <= 15)


def test_numbers_that_show_their_country_code_need_no_library(monkeypatch):
    monkeypatch.setattr(numbering_plans, "library", None)
    assert sent_phone("+1 (415) 555-0171") == ([sha("14155550171")], {})
    assert sent_phone("+49 30 23125-1") == ([sha("4930231251")], {})


@pytest.mark.parametrize("part", ["(", "+1 ", "\u30fc", "1/", "ext", ","])
def test_a_long_text_is_no_number_and_costs_no_time(part):
    texts = [f"{number}{part * 300}"[:999] for number in range(100)]
    start = time.perf_counter()
    assert all(sent_phone(text)[0] is None for text in texts)
    assert time.perf_counter() - start < 5
