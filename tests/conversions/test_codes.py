"""The lists of codes agree with the locale data of Babel."""

from __future__ import annotations

import datetime as dt
import re
from importlib.resources import files

import pytest

from airflow_provider_pinterest.conversions.codes import lists

babel = pytest.importorskip("babel")
pytest.importorskip("babel.numbers")

EXCEPTIONAL = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"}
"""Codes of CLDR that ISO 3166-1 does not assign."""

NEWER_THAN_CLDR = {"XAD"}


def data_files():
    return [file for file in files(lists.__package__).iterdir() if file.name.endswith(".txt")]


def cldr():
    return babel.Locale("en")


@pytest.mark.parametrize("file", data_files(), ids=lambda file: file.name)
def test_every_data_file_says_its_date_and_source(file):
    head = file.read_text(encoding="utf-8").split("\n\n")[0]
    dates = re.findall(r"(?m)^# Date: (\S+)$", head)
    assert [str(dt.date.fromisoformat(date)) for date in dates] == dates != []
    assert re.search(r"(?m)^# Source: https://\S+", head)
    assert all(line.startswith("#") for line in head.splitlines())


def test_the_countries_are_those_of_iso_3166():
    assigned = {code for code in cldr().territories if len(code) == 2 and code.isalpha()} - EXCEPTIONAL
    assert {code.upper() for code in lists.countries().values()} == assigned


def test_codes_of_three_letters_and_numbers_stand_for_their_countries():
    aliases = babel.core.get_global("territory_aliases")
    codes = {number: code.upper() for number, code in lists.countries_by_number().items()}
    codes |= {line.split()[1]: line.split()[0] for line in lists._lines("countries.txt")}
    assert {code: aliases.get(code) for code in codes} == {code: [country] for code, country in codes.items()}


def test_every_currency_is_known():
    assert lists.currencies() - {*cldr().currencies} == NEWER_THAN_CLDR


def test_every_legal_tender_of_a_country_is_accepted():
    today = dt.date(2026, 11, 25)
    current = {
        currency
        for country in lists.countries().values()
        for currency in babel.numbers.get_territory_currencies(country.upper(), today, today)
    }
    assert len(current) > 140
    assert current <= lists.currencies()


def test_withdrawn_currencies_are_listed_apart_and_accepted():
    sections = lists.currency_sections()
    assert sections.keys() == {"in force", "withdrawn"}
    assert sections["withdrawn"] == ("ANG", "BGN")
    assert "XCG" in sections["in force"]
    assert lists.currencies() == {*sections["in force"], *sections["withdrawn"]}
    assert len(lists.currencies()) == sum(map(len, sections.values()))


def test_us_states_are_complete():
    codes = {*lists.us_states().values()}
    assert len(codes) == 50 + len(("dc", "as", "gu", "mp", "pr", "vi", "aa", "ae", "ap"))
    assert {"ny", "dc", "pr", "ap"} <= codes
