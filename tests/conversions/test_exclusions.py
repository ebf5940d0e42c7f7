"""Rules that exclude rows."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import orjson
import pytest

from airflow_provider_pinterest.conversions.exclusions import (
    Exclusions,
    age_at,
    consents,
    has_category,
    is_bot,
    is_inside,
)
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Event, Excluded
from airflow_provider_pinterest.conversions.reasons import EXCLUSIONS, REASONS
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.exceptions import ParameterError
from tests.conversions.rows import NOW, good, outcomes_of

NETWORKS = Exclusions.of(exclude_networks=["10.0.0.0/8", " 203.0.113.9 ", "2001:db8::/32"]).networks


class Unreadable:
    def __bool__(self) -> bool:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize("cell", [True, 1, 1.0, Decimal(1), "true", "T", " yes ", "Y", "1", b"true"])
def test_a_cell_that_is_true_consents(cell):
    assert consents(cell)


@pytest.mark.parametrize(
    "cell",
    [
        *(None, False, 0, "", " ", "false", "no", "n", "0", "granted?", "null", 2, -1, math.nan, "denied"),
        *(dt.date(2026, 1, 1), [], [True], {"a": True}, b"\xff", object(), Unreadable()),
    ],
)
def test_anything_else_does_not(cell):
    assert not consents(cell)


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        ("20101125", "2026-11-24", 15),
        ("20101125", "2026-11-25", 16),
        ("20101125", "2026-11-26", 16),
        ("20080229", "2026-02-28", 17),
        ("20080229", "2026-03-01", 18),
        ("", "2026-03-01", None),
        ("20269999", "2026-03-01", None),
    ],
)
def test_the_age_is_that_on_the_day_of_the_event(birth, day, age):
    assert age_at(birth, int(dt.datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp())) == age


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Pinterestbot/1.0; +http://www.pinterest.com/bot.html)",
        "Pinterest/0.2 (+https://www.pinterest.com/bot.html)",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0)",
        "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        "Mozilla/5.0 (compatible; Baiduspider/2.0)",
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
        "DuckDuckBot/1.1",
        "facebookexternalhit/1.1",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0 Safari/537.36",
        "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "curl/8.5.0",
        "python-requests/2.32",
        "Screaming Frog SEO Spider/19.0",
        "Slackbot-LinkExpanding 1.0",
        "Mozilla/5.0 (compatible; UptimeRobot/2.0)",
        "Yahoo! Slurp",
        "AdsBot-Google (+http://www.google.com/adsbot.html)",
        "Applebot/0.1",
    ],
)
def test_crawlers_are_bots(agent):
    assert is_bot(agent)


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 Chrome/88.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 9; CUBOT_NOTE_S) AppleWebKit/537.36 Mobile Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 [Pinterest/iOS]",
        "Mozilla/5.0 (Linux; Android 14) Mobile Safari/537.36 [Pinterest/Android]",
        "okhttp/4.9.3",
        "Shop/1 CFNetwork/1410 Darwin/22.6",
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
        "",
    ],
)
def test_people_are_none(agent):
    assert not is_bot(agent)


@pytest.mark.parametrize("address", ["10.1.2.3", "203.0.113.9", "2001:db8::1", "::ffff:10.0.0.1", "::FFFF:203.0.113.9"])
def test_an_address_inside(address):
    assert is_inside(address, NETWORKS)


@pytest.mark.parametrize("address", ["11.1.2.3", "203.0.113.10", "2001:db9::1", "", "10.1.2", "nobody"])
def test_an_address_outside(address):
    assert not is_inside(address, NETWORKS)


@pytest.mark.parametrize("network", ["", "10.0.0.0/33", "office", "10.0.0"])
def test_a_network_that_cannot_be_read_is_named(network):
    with pytest.raises(ParameterError, match="exclude_networks"):
        Exclusions.of(exclude_networks=[network])


@pytest.mark.parametrize("found", [["alcohol"], ["Home > ALCOHOL > Wine"], [None, "x", "wine/alcohol"], [" Alcohol "]])
def test_a_category_or_a_part_of_its_path_is_found(found: Any):
    assert has_category(found, frozenset({"alcohol"}))


@pytest.mark.parametrize("found", [[], [None], ["Alcohol-free"], ["Toys"], [5], ["non alcohol"]])
def test_another_category_is_not(found: Any):
    assert not has_category(found, frozenset({"alcohol"}))


def test_there_is_no_rule_by_default():
    assert not Exclusions.of()
    assert Exclusions.of(exclude_bots=True)


def test_each_code_is_documented_among_the_reasons():
    assert EXCLUSIONS.keys() <= REASONS.keys()


def exclusion_codes(rows, **rules):
    """Return the code under which each row was excluded, ``None`` where it was sent."""
    mapping = ColumnMapping(consent_column=rules.get("consent_column"))
    transform = Transform(mapping, now=NOW, exclusions=Exclusions.of(**rules))
    found = outcomes_of([{**row, "event_id": str(at)} for at, row in enumerate(rows)], transform)
    assert {*map(type, found)} <= {Event, Excluded}
    return [outcome.code if isinstance(outcome, Excluded) else None for outcome in found]


@pytest.mark.parametrize(
    "cell",
    [
        *("granted", " GRANTED ", "accepted", "opted_in", "opt-in", "Opted In", "on", "given", '"granted"', b"granted"),
        *("\ufeffyes", "y\x00", '"true"', Decimal("1.00"), Decimal("1.0")),
    ],
)
def test_what_consent_tools_write_for_yes_consents(cell):
    assert consents(cell)


@pytest.mark.parametrize(
    "cell",
    [
        *("denied", "opted_out", "opt-out", "off", "pending", "not granted", "granted?", "withdrawn", "unknown"),
        *('{"ad_storage": "granted"}', {"ad_storage": "granted"}, ["granted"], '["granted"]', "1YNN", "C0001,C0004"),
        *("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", Decimal("1.01"), Decimal("NaN"), Decimal("Infinity")),
    ],
)
def test_what_does_not_clearly_say_yes_does_not(cell):
    assert not consents(cell)


@pytest.mark.parametrize(
    "birth",
    [
        *("03/04/2020", "2020-04-03", "3 April 2020", "03-APR-2020", "25/12/2020 00:00:00", '"2020-04-03"'),
        *(20200403, 20200403.0, Decimal(20200403), "20200403.0", ["1980-01-01", "2020-04-03"], '["2020-04-03"]'),
        *("2020", "04/2020", "03.04.20", dt.date(2020, 4, 3), dt.datetime(2020, 4, 3), b"2020-04-03"),  # noqa: DTZ001
        "\ufeff2020-04-03",
    ],
)
def test_a_date_that_may_be_that_of_a_child_is_one(birth):
    assert exclusion_codes([good(birthday=birth)], minimum_age=13) == ["under_minimum_age"]


@pytest.mark.parametrize(
    "birth", ["1990", "03/04/1990", "04/1990", "03.04.90", 19900403.0, "9999-12-31", None, "", "?"]
)
def test_other_dates_are_not(birth):
    assert exclusion_codes([good(birthday=birth)], minimum_age=13) == [None]


@pytest.mark.parametrize(
    "cell",
    [
        *("Alcohol, Tobacco", "Tobacco; Alcohol", "Home \\ Alcohol", "Home \u2192 Alcohol", "Home > Wine, Alcohol"),
        *('["Alcohol"]', ["Toys", "Alcohol"], "\ufeffalcohol", '{"name": "Alcohol"}', {"name": "Alcohol"}, b"alcohol"),
    ],
)
def test_a_category_in_any_shape_is_found(cell):
    line = {"id": "1", "category": cell}
    assert exclusion_codes([good(content_category=cell), good(items=[line])], excluded_categories=["Alcohol"]) == [
        "excluded_category",
        "excluded_category",
    ]


def test_a_category_may_have_a_comma_in_its_name():
    rules = {"excluded_categories": ["Beer, Wine & Spirits"]}
    cells = ["Beer, Wine & Spirits", "Food > Beer, Wine &amp; Spirits", "Food > Wine"]
    assert exclusion_codes([good(content_category=cell) for cell in cells], **rules) == ["excluded_category"] * 2 + [
        None
    ]


@pytest.mark.parametrize("name", ["item_category2", "item_category5", "itemCategory3", "delivery_category"])
def test_categories_of_products_that_are_not_sent_count(name):
    lines: list[Any] = [{"item_id": "1", "item_category": "Drinks", name: "Alcohol"}]
    rows = [good(items=lines), good(items=orjson.dumps(lines).decode()), good(items=lines[0])]
    assert exclusion_codes(rows, excluded_categories=["alcohol"]) == ["excluded_category"] * 3


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1, 203.0.113.7", "unknown, 203.0.113.7", "for=203.0.113.7", 'for="203.0.113.7:12";proto=https'),
        *("203.0.113.7 198.51.100.1", "203.0.113.7;198.51.100.1", ["10.0.0.1", "203.0.113.7"], "203.0.113.7:443"),
        *("::ffff:203.0.113.7", "[2001:db8::5]:443", "2001:db8::5%eth0"),
    ],
)
def test_the_address_that_would_be_sent_is_looked_at(address):
    rows = [good(ip=address, user_agent="Mozilla/5.0")]
    assert exclusion_codes(rows, exclude_networks=["203.0.113.0/24", "2001:db8::/32"]) == ["internal_traffic"]


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Bytespider; spider-feedback@example.com)",
        "Examplebot/1.0 (crawler@example.com)",
        "axios/1.6.2",
        "node-fetch/1.0",
        "Apache-HttpClient/4.5.13 (Java/17.0.1)",
        "PostmanRuntime/7.36.0",
        "GuzzleHttp/7",
        "meta-externalagent/1.1",
        "GoogleOther",
        "Mozilla/5.0 Cypress/12.0",
        "kube-probe/1.27",
        "ELB-HealthChecker/2.0",
        "Site24x7",
    ],
)
def test_scripts_and_crawlers_with_addresses_are_bots(agent):
    assert exclusion_codes([good(user_agent=agent)], exclude_bots=True) == ["bot"]
