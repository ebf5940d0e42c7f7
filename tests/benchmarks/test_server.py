"""The counting server counts right, answers right, and keeps connections and accounts apart."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import server

EVENTS = "/v5/ad_accounts/{}/events"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve on a thread of this process."""
    port_file = tmp_path / "port"
    loop = asyncio.new_event_loop()
    serving = loop.create_task(server.serve(port_file))

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(serving)
        except asyncio.CancelledError:
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    while not port_file.exists():
        assert thread.is_alive()
        time.sleep(0.005)
    yield int(port_file.read_text())
    loop.call_soon_threadsafe(serving.cancel)
    thread.join()


@pytest.fixture
def connection(port: int) -> Iterator[http.client.HTTPConnection]:
    connected = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    yield connected
    connected.close()


def body(events: int, padding: int = 0, *, spaced: bool = False) -> bytes:
    data = [{"event_id": f"e{number}", "event_name": "x" * padding} for number in range(events)]
    return json.dumps({"data": data}, separators=None if spaced else (",", ":")).encode()


def post(connection: http.client.HTTPConnection, path: str, content: bytes) -> dict[str, object]:
    connection.request("POST", path, content, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200
    found: dict[str, object] = json.loads(answer.read())
    return found


def totals(connection: http.client.HTTPConnection, account: str) -> dict[str, int]:
    connection.request("GET", f"/totals/{account}")
    found: dict[str, int] = json.loads(connection.getresponse().read())
    return found


@pytest.mark.parametrize("spaced", [True, False])
@pytest.mark.parametrize("events", [0, 1, 999, 1_000])
def test_every_event_is_answered_processed(connection, events, spaced):
    answer = post(connection, EVENTS.format("1"), body(events, spaced=spaced))

    assert answer["num_events_received"] == answer["num_events_processed"] == events
    assert answer["events"] == [{"status": "processed", "error_message": "", "warning_message": ""}] * events


def test_a_kept_alive_connection_carries_many_calls_and_accounts_are_counted_apart(connection):
    for events in (3, 1_000, 7):
        post(connection, EVENTS.format("11"), body(events))
    post(connection, EVENTS.format("12") + "?test=true", body(5))

    assert totals(connection, "11")["events"] == 1_010
    assert totals(connection, "11")["calls"] == 3
    assert totals(connection, "12")["events"] == 5
    assert totals(connection, "13")["events"] == 0


def test_a_body_larger_than_the_buffer_is_read_to_its_end(connection):
    large = body(1_000, padding=server.ROOM // 500)
    assert len(large) > 2 * server.ROOM

    assert post(connection, EVENTS.format("1"), large)["num_events_received"] == 1_000
    assert totals(connection, "1")["bytes"] == len(large)
    assert post(connection, EVENTS.format("1"), body(2))["num_events_received"] == 2


def test_latency_is_added_to_each_call_and_calls_wait_side_by_side(port):
    def call() -> None:
        connected = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        post(connected, "/150ms" + EVENTS.format("1"), body(10))
        connected.close()

    callers = [threading.Thread(target=call) for _ in range(8)]
    began = time.monotonic()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    seconds = time.monotonic() - began

    connected = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    found = totals(connected, "1")
    connected.close()
    assert 0.15 <= seconds < 8 * 0.15
    assert found["events"] == 80
    assert 1 < found["most_at_once"] <= 8
    assert found["open"] == 0


def test_another_path_is_not_found(connection):
    connection.request("GET", "/v5/ad_accounts/1/events")
    answer = connection.getresponse()

    assert answer.status == 404
    answer.read()
