"""A city is sent without the state, the country and the postal code beside it."""

from __future__ import annotations

import time

import pytest

from airflow_provider_pinterest.conversions.cities import city
from tests.conversions.rows import good, new_transform, sent, sha


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("New York, NY", "newyork"),
        ("NEW YORK, NY", "newyork"),
        ("New York, New York", "newyork"),
        ("New York, NY 10001", "newyork"),
        ("10001 New York, NY, USA", "newyork"),
        ("New York (NY)", "newyork"),
        ("Dallas TX 75201", "dallas"),
        ("St. Louis, MO 63101-1234", "stlouis"),
        ("Washington, D.C.", "washington"),
        ("Kansas City, Missouri, USA", "kansascity"),
        ("Paris, Texas", "paris"),
        ("Berlin, Germany", "berlin"),
        ("Berlin (Germany)", "berlin"),
        ("Berlin; Deutschland", "berlin"),
        ("berlin, de", "berlin"),
        ("Berlin,", "berlin"),
        ("London, UK", "london"),
        ("London, England", "london"),
        ("London SW1A 1AA", "london"),
        ("Frankfurt am Main, Hessen", "frankfurtammain"),
        ("80331 München", "münchen"),
        ("D-80331 München", "münchen"),
        ("München, 80331", "münchen"),
        ("80331, München", "münchen"),
        ("CH-8001 Zürich", "zürich"),
        ("1011 AB Amsterdam", "amsterdam"),
        ("114 55 Stockholm", "stockholm"),
        ("00-950 Warszawa", "warszawa"),
        ("01310-100 São Paulo", "sãopaulo"),
        ("São Paulo, SP", "sãopaulo"),
        ("Rio de Janeiro - RJ", "riodejaneiro"),
        ("Milano (MI)", "milano"),
        ("75001 Paris, France", "paris"),
        ("Paris 75001", "paris"),
        ("Toronto, ON M5V 2T6", "toronto"),
        ("Toronto, Ontario, Canada", "toronto"),
        ("Sydney, NSW 2000", "sydney"),
        ("Singapore, Singapore", "singapore"),
        ("上海\uff0c中国", "上海"),
        ("Hague, The", "thehague"),
        ("Palmas, Las", "laspalmas"),
        ("Coruña, A", "acoruña"),
    ],
)
def test_what_stands_beside_a_city_is_dropped(text, canonical):
    transform = new_transform()
    assert sent(good(city=text), transform)["user_data"]["ct"] == [sha(canonical)]
    assert not transform.warnings


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Frankfurt (Main)", "frankfurtmain"),
        ("Halle/Saale", "hallesaale"),
        ("Erlangen, Stadt", "erlangenstadt"),
        ("Wellington, Somerset", "wellingtonsomerset"),
        ("6th of October City", "6thofoctobercity"),
        ("25 de Mayo", "25demayo"),
        ("100 Mile House", "100milehouse"),
        ("Praha 1", "praha1"),
        ("Winston-Salem", "winstonsalem"),
        ("Berlin - Mitte", "berlinmitte"),
        ("St. John's", "stjohns"),
        ("L'Aquila", "laquila"),
        ("Georgia", "georgia"),
        ("Washington DC", "washingtondc"),
        ("東京", "東京"),
    ],
)
def test_an_ordinary_city_stays(text, canonical):
    assert city(text) == canonical


@pytest.mark.parametrize("text", ["Plata, La", "baton rouge, la", "Bilt, De", "NY, New York", "12345", ",", "NY 10001"])
def test_an_uncertain_city_is_left_out(text):
    transform = new_transform()
    assert "ct" not in sent(good(city=text), transform)["user_data"]
    assert transform.warnings == {"unusable_ct": 1}


@pytest.mark.parametrize(
    "text", ["a " * 500, ", " * 500, "a-" * 500, "(" * 999 + "a", "1 " * 499 + "a", "a, NY " * 160]
)
def test_a_long_text_takes_no_time(text):
    begun = time.perf_counter()
    city(text)
    assert time.perf_counter() - begun < 1
