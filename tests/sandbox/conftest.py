"""A running local Pinterest for each test, and the ways to talk to it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_provider_pinterest.sandbox import Sandbox

Event = dict[str, Any]
EMAIL_HASH = hashlib.sha256(b"ada@example.com").hexdigest()


@pytest.fixture
def event() -> Callable[..., Event]:
    """Make a good event; a keyword replaces a property, None removes it."""

    def make(event_id: str = "order-1", /, **changes: Any) -> Event:
        good: Event = {
            "event_name": "checkout",
            "action_source": "web",
            "event_time": int(time.time()) - 60,
            "event_id": event_id,
            "user_data": {"em": [EMAIL_HASH]},
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    return make


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def send(pinterest: Sandbox, session: requests.Session) -> Callable[..., requests.Response]:
    """Post events; ``body`` replaces the whole body."""

    def post(
        *events: Event,
        account: str = "549755885175",
        token: str | None = Sandbox.token,
        body: bytes | None = None,
        test: str | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 5,
    ) -> requests.Response:
        sent = {} if token is None else {"Authorization": f"Bearer {token}"}
        return session.post(
            f"{pinterest.url}/ad_accounts/{account}/events",
            params={} if test is None else {"test": test},
            headers=sent | {"Content-Type": "application/json"} | (headers or {}),
            json={"data": list(events)} if body is None else None,
            data=body,
            timeout=timeout,
            allow_redirects=False,
        )

    return post


@pytest.fixture
def control(pinterest: Sandbox, session: requests.Session) -> Callable[..., Any]:
    """ReceivedCall one of the sandbox's own paths and return its JSON."""

    def call(method: str, path: str, status: int = 200, **options: Any) -> Any:
        root = pinterest.url.removesuffix("/v5")
        answer = session.request(method, f"{root}/sandbox/{path}", timeout=5, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    return call
