"""The server of the example counts what it is sent, by event id and by time, and answers like Pinterest."""

import asyncio
import json
import random
import time
from collections import defaultdict

import pytest

from scale import server
from scale.server import Account, Connection, answer, read_copies


class Transport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.written = b""

    def write(self, data):
        self.written += data


def post(ids, account="111"):
    body = json.dumps({"data": [{"event_name": "checkout", "event_id": one} for one in ids]}).encode()
    head = f"POST /v5/ad_accounts/{account}/events HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.fixture
def accounts(monkeypatch):
    monkeypatch.setattr(server, "LATENCY", (0.0, 0.0))
    return defaultdict(Account)


def talk(accounts, *pieces):
    """Send pieces of bytes over one connection; return the bodies of the answers."""

    async def session():
        transport = Transport()
        connection = Connection(accounts, random.Random(1))  # noqa: S311
        connection.connection_made(transport)
        for piece in pieces:
            connection.data_received(piece)
            await asyncio.sleep(0.002)
        return transport.written

    answers = asyncio.run(session()).split(b"HTTP/1.1 ")[1:]
    return [(int(one[:3]), one.partition(b"\r\n\r\n")[2]) for one in answers]


def test_every_event_is_counted_by_its_id(accounts):
    talk(accounts, post(["a", "b"]), post(["b", "c"]), post(["z"], account="222"))

    assert accounts["111"].copies == {b"a": 1, b"b": 2, b"c": 1}
    assert accounts["222"].copies == {b"z": 1}


def test_every_call_is_noted_with_its_time_and_its_events(accounts):
    before = time.time()
    talk(accounts, post(["a", "b"]), post(["c"]))

    times, events = zip(*accounts["111"].calls, strict=True)
    assert events == (2, 1)
    assert before <= times[0] <= times[1] <= time.time()


def test_a_request_in_pieces_is_one_call_and_came_when_its_head_did(accounts, monkeypatch):
    ticks = iter([100.0, 200.0])
    monkeypatch.setattr("scale.server.time.time", lambda: next(ticks))
    whole = post(["a", "b"])
    cut = whole.index(b"\r\n\r\n") + 10

    talk(accounts, whole[:5], whole[5:cut], whole[cut:])

    assert accounts["111"].calls == [(100.0, 2)]


def test_requests_that_arrive_together_are_two(accounts):
    answers = talk(accounts, post(["a"]) + post(["b"]))

    assert [status for status, _ in answers] == [200, 200]
    assert len(accounts["111"].calls) == 2


def test_every_event_is_answered(accounts):
    [(status, body)] = talk(accounts, post(["a", "b", "c"]))
    found = json.loads(body)

    assert status == 200
    assert found["num_events_received"] == found["num_events_processed"] == 3
    assert [event["status"] for event in found["events"]] == ["processed"] * 3
    assert answer(3).endswith(body)


def test_the_record_can_be_read(accounts):
    _, calls, copies = talk(
        accounts,
        post(["order 1", "b", "b"]),
        b"GET /calls/111 HTTP/1.1\r\n\r\n",
        b"GET /copies/111 HTTP/1.1\r\n\r\n",
    )

    assert json.loads(calls[1]) == [[accounts["111"].calls[0][0], 3]]
    assert read_copies(copies[1].decode()) == {"order 1": 1, "b": 2}


def test_anything_else_is_not_there(accounts):
    assert talk(accounts, b"GET /elsewhere HTTP/1.1\r\n\r\n") == [(404, b"{}")]
    assert not accounts
