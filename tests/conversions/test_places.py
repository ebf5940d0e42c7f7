"""Countries, states and postal codes in usual notations; limited data processing depends on them."""

import pytest

from airflow_provider_pinterest.conversions.codes import lists
from airflow_provider_pinterest.conversions.codes.lists import (
    countries,
    countries_by_number,
    countries_by_words,
    us_states,
)
from airflow_provider_pinterest.conversions.codes.spelling import letters, words
from tests.conversions.rows import good, new_transform, reasons, sent, sent_identifier, sha


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("United States (US)", "us"),
        ("United States of America (the)", "us"),
        ("The United States", "us"),
        ("U.S.A.", "us"),
        ("u.s.", "us"),
        ("USA - United States", "us"),
        ("840", "us"),
        (840, "us"),
        (840.0, "us"),
        ("840.0", "us"),
        (4, "af"),
        ("004", "af"),
        ("Korea, Republic of", "kr"),
        ("Korea (the Republic of)", "kr"),
        ("Republic of Korea", "kr"),
        ("Korea, South", "kr"),
        ("South Korea (KR)", "kr"),
        ("Korea (the Democratic People's Republic of)", "kp"),
        ("Korea, Democratic People\u2019s Republic of", "kp"),
        ("Iran (Islamic Republic of)", "ir"),
        ("Iran, Islamic Republic of", "ir"),
        ("Bolivia (Plurinational State of)", "bo"),
        ("Venezuela, Bolivarian Republic of", "ve"),
        ("Tanzania, the United Republic of", "tz"),
        ("Moldova (the Republic of)", "md"),
        ("Micronesia (Federated States of)", "fm"),
        ("Congo (the Democratic Republic of the)", "cd"),
        ("Congo, Democratic Republic of", "cd"),
        ("Congo - Kinshasa", "cd"),
        ("Congo (the)", "cg"),
        ("Congo - Brazzaville", "cg"),
        ("Lao People's Democratic Republic (the)", "la"),
        ("Palestine, State of", "ps"),
        ("Taiwan (Province of China)", "tw"),
        ("Taiwan, Province of China", "tw"),
        ("Hong Kong SAR China", "hk"),
        ("Virgin Islands (U.S.)", "vi"),
        ("Virgin Islands (British)", "vg"),
        ("Falkland Islands (the) [Malvinas]", "fk"),
        ("Holy See (the)", "va"),
        ("Saint Martin (French part)", "mf"),
        ("Sint Maarten (Dutch part)", "sx"),
        ("United Kingdom of Great Britain and Northern Ireland (the)", "gb"),
        ("United Kingdom (UK)", "gb"),
        ("Great Britain (UK)", "gb"),
        ("Ireland, Republic of", "ie"),
        ("Northern Ireland", "gb"),
        ("Federal Republic of Germany", "de"),
        ("Kingdom of Spain", "es"),
        ("French Republic", "fr"),
        ("Netherlands (Kingdom of the)", "nl"),
        ("Netherlands, The", "nl"),
        ("Gambia, The", "gm"),
        ("Bahamas (the)", "bs"),
        ("Trinidad & Tobago", "tt"),
        ("Bosnia & Herzegovina", "ba"),
        ("Bosnia-Herzegovina", "ba"),
        ("Antigua &amp; Barbuda", None),
        ("St. Lucia", "lc"),
        ("St Kitts & Nevis", "kn"),
        ("St. Vincent & the Grenadines", "vc"),
        ("S\u00e3o Tom\u00e9 and Pr\u00edncipe", "st"),
        ("Cote d Ivoire", "ci"),
        ("C\u00d4TE D\u2019IVOIRE", "ci"),
        ("C\u00f4te d'Ivoire (Ivory Coast)", "ci"),
        ("Curacao", "cw"),
        ("Turkey (T\u00fcrkiye)", "tr"),
        ("Turkiye", "tr"),
        ("Czechia (Czech Republic)", "cz"),
        ("Myanmar (Burma)", "mm"),
        ("Eswatini (Swaziland)", "sz"),
        ("Macedonia, the former Yugoslav Republic of", "mk"),
        ("Russian Federation (the)", "ru"),
        ("Viet Nam", "vn"),
        ("Germany (DE)", "de"),
        ("DE - Germany", "de"),
        ("Germany, DE", "de"),
        ("Deutschland (DE)", "de"),
        ("EL", "gr"),
        ("\U0001f1fa\U0001f1f8", "us"),
        ("Hong Kong, China", "hk"),
        ("Macau, China", "mo"),
        ("Russian Fed.", "ru"),
        ("Ste. Lucia", "lc"),
        ("Cocos (Keeling) Isl.", "cc"),
        ("United Rep. of Tanzania", "tz"),
        ("Congo (DRC)", "cd"),
        ("Congo, Dem. Rep.", "cd"),
        ("Congo, Rep.", "cg"),
        ("Korea, Dem. People's Rep.", "kp"),
        ("Trinidad", "tt"),
        ("NA", "na"),
    ],
    ids=str,
)
def test_a_country_is_known_by_many_names(cell, code):
    expected = ([sha(code)], {}) if code else (None, {"unusable_country": 1})
    transform = new_transform()
    found = sent(good(country=cell), transform)["user_data"].get("country")
    assert (found, dict(transform.warnings)) == expected


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "Korea, somewhere",
            "Congo, elsewhere",
            "Georgia, US",
            "Germany / France",
            "Germany (FR)",
            "DE, FR",
            "999",
            0,
            -840,
        ),
        *("8400", "XX", "ZZ", "Europe", "Earth", "84000", "()", "&", "the", "Republic of", "Atlantis", True, 840.5),
    ],
)
def test_other_words_are_no_country(cell):
    transform = new_transform()
    found = sent(good(country=cell), transform)["user_data"].get("country")
    assert (found, dict(transform.warnings)) == (None, {"unusable_country": 1})


def test_the_table_of_countries_is_consistent():
    assert len(countries_by_number()) == len({*countries().values()}) == 249
    assert {*countries_by_words().values()} == {*countries().values()}
    for line in lists._lines("countries.txt"):
        code, _, _, names = line.split(" ", 3)
        assert {lists.countries_by_words()[words(name)] for name in names.split("|")} == {code.lower()}
        assert {countries()[letters(name)] for name in names.split("|")} == {code.lower()}
    assert all(number.isdecimal() and len(number) == 3 for number in countries_by_number())


# States


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "CA",
            "ca",
            " Ca ",
            "California",
            "CALIFORNIA",
            "US-CA",
            "US_CA",
            "us ca",
            "USA-CA",
            "US:CA",
            "US\u2013CA",
            "C.A.",
        ),
        *("California (CA)", "CA - California", "California, CA", "California, USA", "California, United States"),
        *("State of California", "CA, US", "California (US)", "The State of California"),
    ],
)
def test_a_us_state_is_its_code(cell):
    for home in (None, "US", "United States"):
        assert sent_identifier("st", cell, home=home) == ([sha("ca")], {})


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "Calif.",
            "Cali",
            "Bayern",
            "XX",
            "ON",
            "CA-ON",
            "DE-BY",
            "US-XX",
            "US",
            "USA",
            "United States",
            "California, Texas",
        ),
        *("(none of them)", "6", "06", 6, "94107", "CA 94107", "New South Wales", "---", "London", "other"),
    ],
)
def test_in_the_us_other_words_are_no_state(cell):
    assert sent_identifier("st", cell, home="US") == (None, {"unusable_st": 1})


@pytest.mark.parametrize(
    ("home", "cell", "text"),
    [
        ("CA", "CA-ON", "on"),
        ("CA", "ca-on", "on"),
        ("Canada", "CA_ON", "on"),
        ("CA", "CAN-ON", "on"),
        ("CA", "CA\u2013ON", "on"),
        ("CA", "CA-Ontario", "ontario"),
        ("CA", "ON", "on"),
        ("CA", "B.C.", "bc"),
        ("CA", "B. C.", "bc"),
        ("CA", "b.c", "bc"),
        ("CA", "P.E.I.", "pei"),
        ("CA", "Ontario", "ontario"),
        ("AU", "N.S.W.", "nsw"),
        ("AU", "AU-NSW", "nsw"),
        ("DE", "DE-BY", "by"),
        ("DE", "Bayern", "bayern"),
        ("DE", "Nordrhein-Westfalen", "nordrhein-westfalen"),
        ("GB", "UK-ENG", "eng"),
        ("GB", "GB-ENG", "eng"),
        ("FR", "FR-75", "75"),
        ("MX", "MX-CMX", "cmx"),
        ("AU", "WA", "wa"),
        ("DE", "St. Gallen", "st. gallen"),
        (None, "DE-BY", "by"),
        (None, "CA-ON", "on"),
        (None, "Bayern", "bayern"),
        (None, "B.C.", "bc"),
    ],
)
def test_elsewhere_the_countrys_prefix_comes_off(home, cell, text):
    assert sent_identifier("st", cell, home=home) == ([sha(text)], {})


@pytest.mark.parametrize(
    ("home", "cell"), [("DE", "CA-ON"), ("CA", "US-CA"), ("CA", "DE-BY"), (None, "US-XX"), (sha("unknown"), "DE-BY")]
)
def test_a_state_of_another_country_is_none(home, cell):
    assert sent_identifier("st", cell, home=home) == (None, {"unusable_st": 1})


# Postal codes


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (2139, "02139"),
        (2139.0, "02139"),
        ("2139", "02139"),
        ("2139.0", "02139"),
        ("02139.0", "02139"),
        (501, "00501"),
        ("501", "00501"),
        (21391234, "02139"),
        (21391234.0, "02139"),
        ("5011234", "00501"),
        (5011234, "00501"),
        (941071234, "94107"),
        ("2139-1234", "02139"),
        ("02139-1234", "02139"),
        ("02139 1234", "02139"),
        ("02139 - 1234", "02139"),
        ("02139\u20131234", "02139"),
        ("94107-", "94107"),
        ("US-94107", "94107"),
        ("US 94107", "94107"),
        ('"02139"', "02139"),
        (b"02139", "02139"),
        ([2139], "02139"),
    ],
    ids=str,
)
def test_a_us_code_has_five_digits(cell, code):
    for home in ("US", "PR"):
        assert sent_identifier("zp", cell, home=home) == ([sha(code)], {})


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "SW1A 1AA",
            "K1A 0B1",
            "1012 AB",
            "D-10117",
            "DE-10117",
            "101178",
            "941071",
            "1",
            12,
            "94107.5",
            94107.5,
            -94107,
        ),
        *("0", "00000", "0000000", "94107-1234-5678", "94107 Berlin", "9410O", "0123456789", "--", "94107,94108", True),
    ],
)
def test_in_the_us_other_codes_are_none(cell):
    assert sent_identifier("zp", cell, home="US") == (None, {"unusable_zp": 1})
    assert sent_identifier("zp", cell, home="US", letters="drop") == (None, {"unusable_zp": 1})


@pytest.mark.parametrize(
    ("home", "cell", "code"),
    [
        (None, "94107-1234", "94107"),
        (None, 94107.0, "94107"),
        (None, "94107.0", "94107"),
        (None, "2139", "2139"),
        (None, 2139.0, "2139"),
        (None, "2139.0", "2139"),
        (None, "D-10117", "d10117"),
        ("DE", "10117.0", "10117"),
        ("DE", 1067, "01067"),
        ("DE", "01067", "01067"),
        ("DE", "DE-10117", "10117"),
        ("ES", 8001, "08001"),
        ("FR", "FR-75001", "75001"),
        ("AU", 800, "0800"),
        ("BR", 1310100, "01310100"),
        ("BR", "01310-100", "01310100"),
        ("AT", 1010, "1010"),
        ("CH", "CH-8001", "8001"),
        ("GB", "SW1A 1AA", "sw1a1aa"),
        ("GB", "sw1a1aa", "sw1a1aa"),
        ("NL", "1012 AB", "1012ab"),
        ("PL", "00-950", "00950"),
    ],
)
def test_a_code_of_another_country_keeps_its_letters(home, cell, code):
    assert sent_identifier("zp", cell, home=home) == ([sha(code)], {})


# Limited data processing


def ldp(**cells):
    return good(**{"opt_out_type": "LDP", **cells})


@pytest.mark.parametrize(
    "state", ["(not set)", "Calif.", "unknown", "XX", "", None, "Bayern", "CA-ON", sha("calif."), "null"]
)
def test_limited_data_processing_needs_a_state_that_is_one(state):
    assert ("ldp_without_region", "custom_data.opt_out_type") in reasons(ldp(state=state, country="US"))


@pytest.mark.parametrize("country", ["(not set)", "Nowhere", "unknown", None])
def test_limited_data_processing_needs_a_country_that_is_one(country):
    assert ("ldp_without_region", "custom_data.opt_out_type") in reasons(ldp(state="CA", country=country))


@pytest.mark.parametrize("state", ["CA", "ca", "California", "US-CA", sha("ca"), sha("CA"), ["CA"], '"CA"'])
@pytest.mark.parametrize("country", ["US", "us", "United States", sha("us"), sha("US"), ["US"], 840])
def test_limited_data_processing_has_the_codes_in_both_cases(state, country):
    found = sent(ldp(state=state, country=country))["user_data"]
    assert found["st"] == [sha("ca"), sha("CA")]
    assert found["country"] == [sha("us"), sha("US")]


def test_other_rows_have_the_codes_in_lower_case():
    rows = [
        ldp(state="CA", country="US"),
        good(state="CA", country="US", opt_out_type="x"),
        good(state="CA", country="US"),
    ]
    transform = new_transform()
    found = [sent({**row, "event_id": number}, transform)["user_data"] for number, row in enumerate(rows)]
    assert [len(one["st"]) for one in found] == [len(one["country"]) for one in found] == [2, 1, 1]
    again = sent(ldp(state="CA", country="US", event_id="again", opt_out_type="ldp,x"), transform)["user_data"]
    assert again["st"] == [sha("ca"), sha("CA")]


def test_defaults_can_be_the_region():
    transform = new_transform(defaults={"country": "US", "state": "TX"})
    found = sent(ldp(), transform)["user_data"]
    assert found["st"] == [sha("tx"), sha("TX")]
    assert sent(good(event_id=2), transform)["user_data"]["st"] == [sha("tx")]


@pytest.mark.parametrize("code", sorted({*us_states().values()}))
def test_every_state_counts_for_limited_data_processing(code):
    assert sent(ldp(state=code, country="US"))["user_data"]["st"] == [sha(code), sha(code.upper())]
