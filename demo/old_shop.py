"""The orders of a shop system that was replaced: an untidy table, as in many exports.

Each line of :data:`CASES` is one kind of trouble, with its cells in the warehouse and the values that must
arrive at Pinterest. The expected hashes are computed here, from the canonical text, and not by the package.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from demo import cases
from demo.cases import REACHES_PINTEREST, Case, Cells, Row
from demo.kinds import Fate, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SENT: Final = 200
"""Rows that reach Pinterest; those that are not planted are ordinary."""

PREFIX: Final = "OLD-"
"""The prefix of its order numbers."""

AGENT: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
COLUMNS: Final = (
    *("Order ID", "eventId", "legacyNo", "eventName", "eventTime", "loadedAt", "consent", "Email", "Phone"),
    *("firstName", "customerId", "advertisingId", "State", "Zip", "Country", "ipAddress", "userAgent", "pageUrl"),
    *("searchString", "language", "currency", "value", "numItems", "line-items", "optOutType"),
)
"""The columns, with the names of that system. They have no types, so a cell keeps the type of its value."""


def _hashed(field: str, column: str, *pairs: tuple[Any, str], **others: Any) -> list[Row]:
    """Return a row for each cell of ``column`` and the canonical text whose hash must arrive."""
    return [Row({column: cell} | others, {f"user_data.{field}": [sha256(text)]}) for cell, text in pairs]


def _plain(path: str, column: str, *pairs: tuple[Any, Any], **others: Any) -> list[Row]:
    """Return a row for each cell of ``column`` and the value that must arrive at ``path``."""
    return [Row({column: cell} | others, {path: value}) for cell, value in pairs]


def _nothing(path: str, column: str, *cells: Any, **others: Any) -> list[Row]:
    """Return a row for each cell of ``column``. Nothing may arrive at ``path``."""
    return [Row({column: cell} | others, {path: None}) for cell in cells]


def _geo(field: str, country: Any, state: Any, canonical: str) -> Row:
    return Row({"Country": country, "State": state}, {f"user_data.{field}": [sha256(canonical)]})


def _phone(typed: str, country: str | None, canonical: str) -> Row:
    return Row({"Phone": typed, "Country": country}, {"user_data.ph": [sha256(canonical)]})


JANE: Final = "jane@example.com"
DIGEST: Final = hashlib.sha256(JANE.encode())
BOWL: Final = {"id": "SKU-0032", "item_name": "Linen Bowl", "item_price": "9.90", "quantity": 2}
NO_WORDS: Final = ("N/A", "undefined", "(not set)", "null", "\\N", "-")


def _line_item(**member: Any) -> str:
    return json.dumps([member])


CASES: Final = (
    Case(
        "JSON text of a scalar",
        Fate.SENT,
        'email "jane@example.com", with its quotes',
        [
            *_hashed("em", "Email", (f'"{JANE}"', JANE)),
            *_plain("event_id", "eventId", ('"old-shop-json"', "old-shop-json")),
            *_nothing("user_data.em", "Email", "null"),
        ],
    ),
    Case(
        "word for nothing",
        Fate.SENT,
        "external_id 'N/A', '(not set)': taken as empty",
        [
            *_nothing("user_data.external_id", "customerId", *NO_WORDS),
            *_nothing("user_data.fn", "firstName", *NO_WORDS),
            *_nothing("user_data.hashed_maids", "advertisingId", "unknown"),
        ],
    ),
    Case(
        "word for nothing as id",
        Fate.SENT,
        "three orders with event_id 'undefined' stay three",
        [Row({"eventId": "undefined"}), Row({"eventId": "undefined"}), Row({"eventId": "undefined"})],
    ),
    Case(
        "e-mail in other dress",
        Fate.SENT,
        "mailto:, Jane <jane@…>, a zero-width space",
        _hashed(
            *("em", "Email"),
            *((f"mailto:{JANE}", JANE), (f"Jane Doe <{JANE}>", JANE), ("jane\u200b@example.com", JANE)),
            *((f"\ufeff{JANE.upper()}", JANE), (f"'{JANE}';", JANE)),
        ),
    ),
    Case(
        "SHA-256 in other dress",
        Fate.SENT,
        "0x…, base64, capitals, 32 bytes: not hashed again",
        [
            *_hashed("em", "Email", (f"0x{DIGEST.hexdigest()}", JANE), (DIGEST.hexdigest().upper(), JANE)),
            *_hashed("em", "Email", (base64.b64encode(DIGEST.digest()).decode(), JANE), (DIGEST.digest(), JANE)),
            *_hashed("em", "Email", (f"\\x{DIGEST.hexdigest()}", JANE)),
            *_hashed("fn", "firstName", (base64.b64encode(hashlib.sha256(b"jane").digest()).decode(), "jane")),
        ],
    ),
    Case(
        "telephone as people write",
        Fate.SENT,
        "+49 (0)221 …, +44 020 …, 'ext. 12', '….0'",
        [
            _phone("+49 (0)221 4710 123", "DE", "492214710123"),
            _phone("+44 020 7946 0018", "GB", "442079460018"),
            _phone("+49 30 23125-417 ext. 12", "DE", "493023125417"),
            _phone("+1 212 555 0147 x89", "US", "12125550147"),
            _phone("493023125417.0", "DE", "493023125417"),
        ],
    ),
    Case(
        "US postal code as number",
        Fate.SENT,
        "2139 for 02139, 501 for 00501",
        _hashed(
            *("zp", "Zip"),
            *((2139, "02139"), (501, "00501"), ("2139.0", "02139"), (2139.0, "02139")),
            Country="US",
        ),
    ),
    Case(
        "country in other words",
        Fate.SENT,
        "'United States (US)', 'Korea, Republic of', 840",
        [
            _geo("country", "United States (US)", None, "us"),
            _geo("country", "Korea, Republic of", None, "kr"),
            _geo("country", 840, None, "us"),
            _geo("country", "St. Kitts & Nevis", None, "kn"),
        ],
    ),
    Case(
        "state in other words",
        Fate.SENT,
        "CA-ON, DE-BY, B.C., New York",
        [
            _geo("st", "CA", "CA-ON", "on"),
            _geo("st", "DE", "DE-BY", "by"),
            _geo("st", "CA", "B.C.", "bc"),
            _geo("st", "US", "New York", "ny"),
        ],
    ),
    Case(
        "IP address with more",
        Fate.SENT,
        "a port, brackets, a mask, X-Forwarded-For",
        _plain(
            *("user_data.client_ip_address", "ipAddress"),
            *(("203.0.113.7:51234", "203.0.113.7"), ("[2001:db8::7]:443", "2001:db8::7")),
            *(("203.0.113.7/32", "203.0.113.7"), ("10.0.0.1, 203.0.113.7", "203.0.113.7")),
            ('["203.0.113.7"]', "203.0.113.7"),
        ),
    ),
    Case(
        "event name as tags spell it",
        Fate.SENT,
        "AddToCart, Page Visit, CHECKOUT, sign_up",
        _plain(
            *("event_name", "eventName", ("AddToCart", "add_to_cart"), ("Page Visit", "page_visit")),
            *(("CHECKOUT", "checkout"), ("sign_up", "signup")),
        ),
    ),
    Case(
        "event name of others, mapped",
        Fate.SENT,
        "Purchase, by event_names={'Purchase': 'checkout'}",
        _plain("event_name", "eventName", ("Purchase", "checkout"), ("purchase", "checkout")),
    ),
    Case(
        "contents of other systems",
        Fate.SENT,
        "GA4, Pinterest's tag, Segment, JSON as bytes",
        _plain(
            *("custom_data.contents", "line-items"),
            *(
                (cell, [BOWL])
                for cell in (
                    _line_item(item_id="SKU-0032", item_name="Linen Bowl", price="9.90", quantity=2),
                    _line_item(
                        product_id="SKU-0032", product_name="Linen Bowl", product_price="9.90", product_quantity=2
                    ),
                    _line_item(product_id="SKU-0032", name="Linen Bowl", price="9.90", quantity="2"),
                    _line_item(item_id="SKU-0032", item_name="Linen Bowl", price="9.90", quantity=2).encode(),
                )
            ),
        ),
    ),
    Case(
        "LDP with its state",
        Fate.SENT,
        "state and country hashed in both cases",
        [
            Row(
                {"optOutType": "LDP", "Country": "USA", "State": "California"},
                {
                    "custom_data.opt_out_type": "LDP",
                    "user_data.st": [sha256("ca"), sha256("CA")],
                    "user_data.country": [sha256("us"), sha256("US")],
                },
            )
        ],
    ),
    Case(
        "no e-mail address",
        "unusable_em",
        "jane@example, half a SHA-256",
        _nothing("user_data.em", "Email", "jane@example", DIGEST.hexdigest()[:40], b"\xff\xfe\x00j"),
    ),
    Case(
        "no telephone",
        "unusable_ph",
        "4.9302E+11 has lost digits; a date",
        _nothing("user_data.ph", "Phone", "4.9302E+11", "2026-11-21", JANE, Country="DE"),
    ),
    Case(
        "no US postal code",
        "unusable_zp",
        "'K1A 0B1' with country US",
        _nothing("user_data.zp", "Zip", "K1A 0B1", "123456", Country="US"),
    ),
    Case(
        "no state, no country",
        "unusable_country",
        "'Atlantis'",
        _nothing("user_data.country", "Country", "Atlantis"),
    ),
    Case(
        "no public IP address",
        "unusable_client_ip_address",
        "10.0.0.1 is a private address",
        _nothing("user_data.client_ip_address", "ipAddress", "10.0.0.1", "0.0.0.0"),  # noqa: S104 - a void address
    ),
    Case(
        "no advertising id",
        "unusable_hashed_maids",
        "LAT, optout, nothing but zeros",
        _nothing("user_data.hashed_maids", "advertisingId", "LAT", "optout", "00000000-0000-0000-0000-000000000000"),
    ),
    Case(
        "name that never ends",
        "unusable_fn",
        "a letter with 100,000 accents",
        _nothing("user_data.fn", "firstName", "a" + "\u0301" * 100_000),
    ),
    Case("no two-letter language", "unusable_language", "fil-PH", _nothing("language", "language", "fil-PH")),
    Case("part of an item", "unusable_num_items", "1.5 items", _nothing("custom_data.num_items", "numItems", 1.5)),
    Case(
        "address in a plain field",
        "personal_data_in_plain_field",
        "typed into the search box",
        _nothing("custom_data.search_string", "searchString", JANE),
    ),
    Case(
        "address in a URL",
        "personal_data_in_url",
        "…/thanks?email=jane@…: cut off there",
        _plain(
            *("event_source_url", "pageUrl"),
            (f"https://old.shop.example.com/thanks?email={JANE}", "https://old.shop.example.com/thanks"),
        ),
    ),
    Case(
        "telephone, country unknown",
        "phone_without_country",
        "49 30 23125 417: sent as it is",
        [_phone("49 30 23125 417", None, "493023125417")],
    ),
    Case(
        "event name of others",
        "unknown_event_name",
        "begin_checkout: the log names it",
        [
            Row({"eventName": name}, {"event_name": name}, warning="pinterest_warning")  # Pinterest warns about it too
            for name in ("begin_checkout", "wishlist")
        ],
    ),
    Case(
        "two ids in a line item",
        "ambiguous_item_id",
        "Shopify's id beside product_id",
        _plain(
            *("custom_data.contents", "line-items"),
            (
                _line_item(id=866, product_id="SKU-0032", title="Linen Bowl", price="9.90", quantity=2),
                [BOWL],
            ),
        ),
    ),
    Case(
        "LDP without a state",
        "ldp_without_region",
        "'(not set)', 'Calif.': would not count",
        [
            Row({"optOutType": "LDP", "Country": "US", "State": "(not set)"}),
            Row({"optOutType": "LDP", "Country": "US", "State": "Calif."}, warning="unusable_st"),
        ],
    ),
    Case(
        "text for a number",
        "bad_type",
        "NaN, and 5,000 digits",
        [Row({"value": "NaN"}), Row({"value": "9" * 5_000})],
    ),
    Case(
        "unreadable time",
        "bad_time",
        "infinity, the year 20000",
        [Row({"eventTime": "infinity"}), Row({"eventTime": "20000-01-01 00:00:00"})],
    ),
    Case(
        "no match key",
        "no_match_key",
        "address, IP and advertising id are 'unknown'",
        [Row({"Email": "N/A", "ipAddress": "unknown", "advertisingId": "unknown"})],
    ),
    Case(
        "no consent",
        "no_consent",
        "0, 'no', 'N/A', NULL; by consent_column",
        [Row({"consent": cell}) for cell in (0, "no", "N/A", None)],
    ),
    Case(
        "bot",
        "bot",
        "Pinterestbot and others; by exclude_bots",
        [
            Row({"userAgent": f"Mozilla/5.0 (compatible; {name}; +https://bots.example.com)"})
            for name in ("Pinterestbot/1.0", "Googlebot/2.1", "bingbot/2.0")
        ],
    ),
    Case(
        "number in two notations",
        Fate.DROPPED,
        "4711.0 again after 4711: the same derived id",
        [Row({"eventId": None, "legacyNo": 4711.0})],
    ),
)
"""Every kind of trouble in the table."""

KINDS: Final = tuple(case.kind for case in CASES)

ORDINARY: Final = SENT - sum(kind.rows for kind in KINDS if kind.fate in REACHES_PINTEREST)
"""Rows without trouble. The first of them is the one that is repeated in another notation."""


def planted_rows() -> Iterator[tuple[str, Case, Row]]:
    """Yield the planted rows, each with its order number and its case."""
    rows = ((case, row) for case in CASES for row in case.rows)
    for number, (case, row) in enumerate(rows, ORDINARY + 1):
        yield order_id(number), case, row


def order_id(number: int) -> str:
    """Return the number of an order in the format of the old shop."""
    return f"{PREFIX}{number:04}"


def order_ids() -> set[str]:
    """Return the order numbers that must reach Pinterest."""
    found = {order_id(number) for number in range(1, ORDINARY + 1)}
    return found | {key for key, case, _ in planted_rows() if case.kind.fate in REACHES_PINTEREST}


def warnings() -> dict[str, int]:
    """Return the expected ``warnings`` in the result of the run."""
    found = Counter(code for _, case, row in planted_rows() for code in (case.kind.warning, row.warning) if code)
    return dict(found)


def load(path: Path, start: dt.datetime, end: dt.datetime) -> None:
    """Add the table to the SQLite warehouse at ``path``, with rows loaded between ``start`` and ``end``."""
    everything: list[tuple[str, Cells]] = [(order_id(number), {}) for number in range(1, ORDINARY + 1)]
    everything[0][1].update({"eventId": None, "legacyNo": 4711})
    everything += [(key, row.cells) for key, _, row in planted_rows()]
    step = (end - start) / len(everything)
    rows = []
    for place, (key, cells) in enumerate(everything):
        moment = (start + place * step).astimezone(dt.UTC)
        usual = {
            "Order ID": key,
            "eventId": key.lower(),
            "legacyNo": 100_000 + place,
            "eventName": "checkout",
            "eventTime": f"{moment - dt.timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
            "loadedAt": f"{moment:%Y-%m-%d %H:%M:%S}",
            "consent": "yes",
            "Email": usual_address(key),
            "ipAddress": "192.0.2.14",
            "userAgent": AGENT,
            "currency": "EUR",
            "value": "19.80",
        }
        row = usual | cells
        rows.append(tuple(row.get(column) for column in COLUMNS))
    names = ", ".join(f'"{column}"' for column in COLUMNS)
    marks = ", ".join("?" * len(COLUMNS))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE old_shop_orders ({names})")
        connection.executemany(f"INSERT INTO old_shop_orders VALUES ({marks})", rows)  # noqa: S608 - constants
        connection.commit()


def usual_address(key: str) -> str:
    """Return the address of an order without a planted address."""
    return f"{key.lower()}@example.com"


def differences(case: Case, events: Mapping[str, Mapping[str, Any]], rejects: Mapping[str, Sequence[str]]) -> list[str]:
    """Return which rows of a case do not have the expected outcome; see :func:`demo.cases.differences`."""
    rows = []
    for key, its_case, row in planted_rows():
        if its_case is case:
            email = {} if "Email" in row.cells else {"user_data.em": [sha256(usual_address(key))]}
            rows.append((key, {**row.arrives, **email}))
    return cases.differences(case, rows, events, rejects)
