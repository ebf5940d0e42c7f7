"""Invented customers, products and browsers: the constants of the warehouse.

Addresses are under example.com, IP addresses from the ranges reserved for documentation, telephone numbers
from the ranges reserved for fiction (Germany 030 23125 xxx, UK 020 7946 0xxx, US 555-01xx). No row
describes a real person.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import random

FIRST_NAMES: Final = {
    "f": "Zoë Renée Chloé Inês Anna Clara Emma Grace Hannah Isla Mia Vera",
    "m": "Jürgen François Łukasz Søren Ben David Felix Jonas Leon Noah Tom",
    "n": "Kim Robin Sam",
}
"""Gender → first names."""

LAST_NAMES: Final = (
    "Ångström-Lund Brückner Castaño Dąbek Fairweather Großkopf Hollybush Île-Martin Jónsdottir Longbottle "
    "Müllerchen Nuñoz O'Harrow Pickering-Voss Quillfeather Wętły"
)


class Place(NamedTuple):
    """A city as people write it, with the telephone numbers and postal codes of its country."""

    city: str
    state: str | None
    zip: str
    country: str
    phone: str
    """The number in international form; ``#`` is a placeholder for a digit."""


PLACES: Final = (
    Place("Berlin", "BE", "10115", "DE", "+49 30 23125 ###"),
    Place("Köln", "NW", "50667", "DE", "+49 221 4710 ###"),
    Place("München", "BY", "80331", "DE", "+49 89 99998 ###"),
    Place("Düsseldorf", "NW", "40213", "DE", "+49 (0)171 39200 ##"),
    Place("London", None, "SW1A 1AA", "GB", "+44 20 7946 0###"),
    Place("Newcastle upon Tyne", None, "NE1 4XD", "GB", "+44 7700 900###"),
    Place("New York", "NY", "10001", "US", "+1 (212) 555-01##"),
    Place("St. Louis", "MO", "63101-1234", "US", "+1-314-555-01##"),
    Place("São Paulo", "SP", "01310-100", "BR", "+55 11 5550 0###"),
    Place("Łódź", None, "90-001", "PL", "+48 42 555 0###"),
    Place("Montréal", "QC", "H2Y 1C6", "CA", "+1 514 555 01##"),
)
SHOP_OF_COUNTRY: Final = {"GB": "uk", "US": "us", "CA": "us"}
"""Customers of other countries order in the German shop."""

CURRENCY_OF_SHOP: Final = {"de": "EUR", "uk": "GBP", "us": "USD"}

_CHROME: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
_SAFARI: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1"
USER_AGENTS: Final = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_CHROME} Mobile Safari/537.36",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) {_SAFARI}",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0",
)
DEVICES: Final = (
    '{"brand": "Apple", "model": "16 Pro", "os_family": "ios", "languages": ["de", "en"]}',
    '{"brand": "Samsung", "model": "Galaxy S25", "os_family": "android", "network_type": "wifi"}',
)

ADJECTIVES: Final = ("Linen", "Oak", "Wool", "Ceramic", "Rattan", "Velvet", "Brass", "Glass")
THINGS: Final = {
    "Living room": ("Cushion", "Throw", "Lamp", "Side table"),
    "Kitchen": ("Bowl", "Café mug", "Carafe"),
    "Garden": ("Lantern", "Planter", "Bench"),
}


class Customer(NamedTuple):
    """A row of the ``customers`` table, in its order."""

    customer_id: str
    email: str | None
    phone: str | None
    first_name: str | None = None
    last_name: str | None = None
    gender: str | None = None
    birth_date: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    consent: int = 1
    opt_out: int | None = None
    ldp: int = 0

    @property
    def shop(self) -> str:
        """The web shop this customer orders in."""
        return SHOP_OF_COUNTRY.get(self.country or "", "de")


class Product(NamedTuple):
    """A row of the ``products`` table, in its order."""

    product_id: str
    name: str
    category: str
    brand: str
    price: float


def products() -> list[Product]:
    """Return the assortment: every adjective with every thing, at a price that depends on its position."""
    found: list[Product] = []
    for category, things in THINGS.items():
        for thing in things:
            for adjective in ADJECTIVES:
                price = 9.9 + 7.35 * (len(found) % 23)
                found.append(Product(f"SKU-{len(found):04}", f"{adjective} {thing}", category, "Höst & Bø", price))
    return found


def customers(rng: random.Random, count: int) -> list[Customer]:
    """Invent ``count`` customers; one in twelve has not consented."""
    return [_customer(rng, number) for number in range(count)]


def _customer(rng: random.Random, number: int) -> Customer:
    gender = rng.choices("fmn", (12, 11, 1))[0]
    first_name = rng.choice(FIRST_NAMES[gender].split())
    last_name = rng.choice(LAST_NAMES.split())
    place = rng.choice(PLACES)
    email = f"{_ascii(first_name)}.{_ascii(last_name)}.{number}@example.com"
    if number % 20 == 0:
        email = f" {email.title()} "  # as people type it
    return Customer(
        customer_id=f"C{number:06}",
        email=email,
        phone="".join(str(rng.randrange(10)) if c == "#" else c for c in place.phone) if number % 3 else None,
        first_name=first_name,
        last_name=last_name,
        gender=gender if number % 4 else None,
        birth_date=f"{rng.randrange(1950, 2005)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
        city=place.city,
        state=place.state,
        zip=place.zip,
        country=place.country,
        consent=0 if number % 12 == 5 else 1,
        opt_out=(None, 0, 0, 1)[number % 4],
        ldp=1 if place.country == "US" and number % 5 == 0 else 0,
    )


def _ascii(name: str) -> str:
    """Convert a name to its form in an e-mail address."""
    base = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return "".join(letter for letter in base.lower() if letter.isalnum())


def ip_address(rng: random.Random) -> str:
    """Invent an address from the ranges for documentation, one in eight of them IPv6."""
    if rng.randrange(8) == 0:
        return f"2001:db8::{rng.randrange(16**4):x}:{rng.randrange(16**4):x}"
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randrange(1, 255)}"


def click_id(rng: random.Random) -> str:
    """Invent a value of Pinterest's ``_epik`` cookie."""
    return f"dj0yJnU9{rng.getrandbits(128):032x}"
