"""The counting server counts right, answers right, and keeps connections and accounts apart."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest

from harness import counting_server
from harness.counting_server import AccountRecord, CountingConnection, answer, read_copies
from harness.processes import python_server

EVENTS = "/v5/ad_accounts/{}/events"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("counting")
    with python_server("counting", ("-m", "harness.counting_server"), folder, os.environ) as (_, port):
        yield port


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
    reply = connection.getresponse()
    assert reply.status == 200
    found: dict[str, object] = json.loads(reply.read())
    return found


def totals(connection: http.client.HTTPConnection, account: str) -> dict[str, int]:
    connection.request("GET", f"/totals/{account}")
    found: dict[str, int] = json.loads(connection.getresponse().read())
    return found


@pytest.mark.parametrize("spaced", [True, False])
@pytest.mark.parametrize("events", [0, 1, 999, 1_000])
def test_every_event_is_answered_processed(connection, events, spaced):
    found = post(connection, EVENTS.format("1"), body(events, spaced=spaced))

    assert found["num_events_received"] == found["num_events_processed"] == events
    assert found["events"] == [{"status": "processed", "error_message": "", "warning_message": ""}] * events


def test_a_kept_alive_connection_carries_many_calls_and_accounts_are_counted_apart(connection):
    for events in (3, 1_000, 7):
        post(connection, EVENTS.format("11"), body(events))
    post(connection, EVENTS.format("12") + "?test=true", body(5))

    assert totals(connection, "11")["events"] == 1_010
    assert totals(connection, "11")["calls"] == 3
    assert totals(connection, "12")["events"] == 5
    assert totals(connection, "13")["events"] == 0


def test_a_body_larger_than_the_buffer_is_read_to_its_end(connection):
    large = body(1_000, padding=counting_server.ROOM // 500)
    assert len(large) > 2 * counting_server.ROOM

    assert post(connection, EVENTS.format("21"), large)["num_events_received"] == 1_000
    assert totals(connection, "21")["body_bytes"] == len(large)
    assert post(connection, EVENTS.format("21"), body(2))["num_events_received"] == 2


@pytest.mark.parametrize(("latency", "account"), [("150ms", "31"), ("150-200ms", "32")])
def test_latency_is_added_to_each_call_and_calls_wait_side_by_side(port, latency, account):
    def call() -> None:
        connected = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        post(connected, f"/{latency}" + EVENTS.format(account), body(10))
        connected.close()

    callers = [threading.Thread(target=call) for _ in range(8)]
    began = time.monotonic()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    seconds = time.monotonic() - began

    connected = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    found = totals(connected, account)
    connected.close()
    assert 0.15 <= seconds < 8 * 0.15
    assert found["events"] == 80
    assert 1 < found["most_at_once"] <= 8
    assert found["open"] == 0


def test_another_path_is_not_found(connection):
    connection.request("GET", "/v5/ad_accounts/1/events")
    reply = connection.getresponse()

    assert reply.status == 404
    reply.read()


class WrittenTransport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.written = b""

    def write(self, data):
        self.written += data


def request(ids, account="111"):
    content = json.dumps({"data": [{"event_name": "checkout", "event_id": one} for one in ids]}).encode()
    head = f"POST /v5/ad_accounts/{account}/events HTTP/1.1\r\nHost: here\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


@pytest.fixture
def records():
    return defaultdict(AccountRecord)


def talk(records, *pieces):
    """Send pieces of bytes over one connection to a server that remembers; return the statuses and bodies."""

    async def session():
        transport = WrittenTransport()
        connection = CountingConnection(records, random.Random(1), remember=True)  # noqa: S311
        connection.connection_made(transport)
        for piece in pieces:
            connection.get_buffer(len(piece))[: len(piece)] = piece
            connection.buffer_updated(len(piece))
            await asyncio.sleep(0)
        return transport.written

    replies = asyncio.run(session()).split(b"HTTP/1.1 ")[1:]
    return [(int(one[:3]), one.partition(b"\r\n\r\n")[2]) for one in replies]


def test_every_event_is_counted_by_its_id(records):
    talk(records, request(["a", "b"]), request(["b", "c"]), request(["z"], account="222"))

    assert records["111"].copies == {b"a": 1, b"b": 2, b"c": 1}
    assert records["222"].copies == {b"z": 1}
    assert (records["111"].calls, records["111"].events) == (2, 4)


def test_every_call_is_noted_with_its_time_and_its_events(records):
    before = time.time()
    talk(records, request(["a", "b"]), request(["c"]))

    times, events = zip(*records["111"].arrivals, strict=True)
    assert events == (2, 1)
    assert before <= times[0] <= times[1] <= time.time()


def test_a_request_in_pieces_is_one_call_and_came_when_its_head_did(records, monkeypatch):
    ticks = iter([100.0, 200.0])
    monkeypatch.setattr("harness.counting_server.time.time", lambda: next(ticks))
    whole = request(["a", "b"])
    cut = whole.index(b"\r\n\r\n") + 10

    talk(records, whole[:5], whole[5:cut], whole[cut:])

    assert records["111"].arrivals == [(100.0, 2)]


def test_requests_that_arrive_together_are_two(records):
    replies = talk(records, request(["a"]) + request(["b"]))

    assert [status for status, _ in replies] == [200, 200]
    assert len(records["111"].arrivals) == 2


def test_every_event_is_answered(records):
    [(status, content)] = talk(records, request(["a", "b", "c"]))

    assert status == 200
    assert [event["status"] for event in json.loads(content)["events"]] == ["processed"] * 3
    assert answer(3).endswith(content)


def test_the_record_can_be_read(records):
    _, calls, copies = talk(
        records,
        request(["order 1", "b", "b"]),
        b"GET /calls/111 HTTP/1.1\r\n\r\n",
        b"GET /copies/111 HTTP/1.1\r\n\r\n",
    )

    assert json.loads(calls[1]) == [[records["111"].arrivals[0][0], 3]]
    assert read_copies(copies[1].decode()) == {"order 1": 1, "b": 2}


def test_anything_else_is_not_there(records):
    assert talk(records, b"GET /elsewhere HTTP/1.1\r\n\r\n") == [(404, b"{}")]
    assert not records
