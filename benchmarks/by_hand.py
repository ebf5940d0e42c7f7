"""The alternative to the operator: a PythonOperator that hashes rows and sends them with the official client in a loop.

It handles only valid rows. Except for the client's own validation, it has no validation, no rejected rows, no retries,
no rate limit and no counts of outcomes.

https://github.com/pinterest/pinterest-python-generated-api-client
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks import rows

BATCH: Final = 1_000
TOKEN: Final = "pina_benchmark"  # noqa: S105 - nobody checks it

_CLIENT: Final = "openapi_generated.pinterest_client"
_STATES: Final = {"texas": "tx"}
_COUNTRIES: Final = {"germany": "de"}

Send = Callable[[list[Any]], None]


def user_data(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's ``user_data``, normalised and hashed as Pinterest requires."""
    country = row["country"].strip().lower()
    country = _COUNTRIES.get(country, country)
    state = row["state"].strip().lower()
    digits = "".join(char for char in row["zip"] if char.isdigit())
    plain = {
        "em": row["email"].strip().lower(),
        "ph": "".join(char for char in row["phone"] or "" if char.isdigit()).lstrip("0"),
        "fn": row["first_name"].strip().lower(),
        "ln": row["last_name"].strip().lower(),
        "ge": (row["gender"] or "").lower(),
        "db": row["date_of_birth"].replace("-", ""),
        "ct": "".join(char for char in row["city"].lower() if char.isalnum()),
        "st": _STATES.get(state, state),
        "zp": digits if country == "us" else "".join(char for char in row["zip"].lower() if char.isalnum()),
        "country": country,
        "external_id": row["user_id"].strip(),
    }
    hashed: dict[str, Any] = {
        name: [hashlib.sha256(value.encode()).hexdigest()] for name, value in plain.items() if value
    }
    return hashed | {
        "client_ip_address": row["ip_address"],
        "client_user_agent": row["user_agent"],
        "click_id": row["click_id"],
    }


class OfficialClient:
    """The official client's models and call.

    :param host: base URL of the API; plain HTTP is allowed.
    :param ad_account_id: digits.
    """

    def __init__(self, host: str, ad_account_id: str) -> None:
        client = importlib.import_module(_CLIENT)
        models = importlib.import_module(f"{_CLIENT}.models")
        self._events = models.ConversionEvents
        self._event = models.ConversionEventsData
        self._user_data = models.ConversionEventsUserData
        self._custom_data = models.ConversionEventsCustomData
        self._item = models.ConversionEventsCustomDataContents
        self._client = client.ApiClient(client.Configuration(host=host, access_token=TOKEN))
        self._api = importlib.import_module(f"{_CLIENT}.api.conversion_events_api").ConversionEventsApi(self._client)
        self._account = ad_account_id

    def event(self, row: dict[str, Any]) -> Any:
        """Return the client's model of a row."""
        return self._event(
            event_name=row["event_name"],
            action_source=rows.DEFAULTS["action_source"],
            event_time=int(dt.datetime.fromisoformat(row["event_time"]).timestamp()),
            event_id=row["event_id"],
            event_source_url=row["event_source_url"],
            user_data=self._user_data(**user_data(row)),
            custom_data=self._custom_data(
                currency=row["currency"],
                value=str(row["value"]),
                order_id=row["order_id"],
                num_items=row["num_items"],
                contents=[self._item(**item) for item in json.loads(row["contents"])],
            ),
        )

    def body(self, events: list[Any]) -> bytes:
        """Return the client's JSON of the request."""
        document = self._client.sanitize_for_serialization(self._events(data=events))
        return json.dumps(document).encode()

    def send(self, events: list[Any]) -> None:
        """Send a batch and check the response."""
        answer = self._api.events_create(self._account, self._events(data=events))
        failed = [event for event in answer.events if event.status != "processed"]
        assert not failed, failed


def deliver(client: OfficialClient, source: Iterable[rows.Row], send: Send) -> int:
    """Pass the events of all rows to ``send``, a thousand at a time. Return their number."""
    sent = 0
    events = (client.event(dict(zip(rows.COLUMNS, row, strict=True))) for row in source)
    while batch := list(islice(events, BATCH)):
        send(batch)
        sent += len(batch)
    return sent


def warehouse(path: Path, count: int) -> Iterator[rows.Row]:
    """Yield the first rows of the warehouse, streamed."""
    with closing(sqlite3.connect(path)) as database:
        yield from database.execute(rows.sql(), {"rows": count})
