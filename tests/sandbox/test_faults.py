"""What goes wrong on request, seen from the client's side of the wire."""

import http.client
import json
import time
from collections import Counter
from contextlib import closing

import pytest
import requests

from airflow_provider_pinterest.sandbox.faults import Fault, FaultOptions
from tests.waiting import until


def raw_connection(pinterest):
    return http.client.HTTPConnection("127.0.0.1", pinterest.port, timeout=5)


def ask(connection, pinterest, *events):
    headers = {"Authorization": f"Bearer {pinterest.token}", "Content-Type": "application/json"}
    connection.request("POST", "/v5/ad_accounts/1/events", json.dumps({"data": events}), headers)


def statuses(send, event, count):
    return [send(event(f"e{n}")).status_code for n in range(count)]


def test_a_status_is_answered_so_many_times(pinterest, send, event):
    """``times`` calls are met, ``after`` so many were let pass, and nothing they carried is kept."""
    pinterest.fault("status", status=500, times=2, after=1)
    assert statuses(send, event, 4) == [200, 500, 500, 200]
    assert set(pinterest.copies()) == {"e0", "e3"}


def test_faults_follow_one_another(pinterest, send, event):
    """A fault that ends a call leaves the next fault's count alone."""
    pinterest.fault("status", status=500, times=1)
    pinterest.fault("status", status=429, times=1)
    assert statuses(send, event, 3) == [500, 429, 200]


def test_a_share_of_calls_is_met_and_repeatable(pinterest, send, event):
    """``share`` with the same ``seed`` meets the same calls again."""
    runs = []
    for _ in range(2):
        pinterest.fault("status", status=503, share=0.3, seed=7)
        runs.append(statuses(send, event, 40))
        pinterest.clear_faults()
    assert runs[0] == runs[1]
    assert 4 <= Counter(runs[0])[503] <= 20


def test_a_status_brings_headers_and_a_body(pinterest, send, event):
    """Headers and a body of one's own, text or JSON, replace the usual error."""
    pinterest.fault("status", status=429, headers={"Retry-After": "1.5"}, body="slow down", times=1)
    pinterest.fault("status", status=422, body={"code": 1, "message": "m", "details": {"events": []}}, times=1)
    first, second = send(event()), send(event())
    assert (first.status_code, first.headers["Retry-After"], first.text) == (429, "1.5", "slow down")
    assert second.json() == {"code": 1, "message": "m", "details": {"events": []}}


@pytest.mark.parametrize(
    ("status", "code"), [(400, 4196), (401, 2), (403, 29), (422, 4196), (429, 8), (500, 500), (503, 4197)]
)
def test_a_status_speaks_as_pinterest_does(pinterest, send, event, status, code):
    """Without a body of one's own, the error is Pinterest's for that status."""
    pinterest.fault("status", status=status)
    answer = send(event())
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_speaks_html(pinterest, send, event, status):
    """502 and 504 come from a gateway, as HTML."""
    pinterest.fault("status", status=status)
    answer = send(event())
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")


def test_a_status_after_accepting_is_ambiguous(pinterest, send, event):
    """With ``after_accepting`` the events are kept although the answer is an error."""
    pinterest.fault("status", status=500, after_accepting=True)
    assert send(event()).status_code == 500
    assert pinterest.copies() == {"order-1": 1}
    (call,) = pinterest.calls()
    assert (call.status, call.events, call.accepted, call.fault) == (500, 1, 1, "status")


@pytest.mark.parametrize("kind", ["drop", "reset"])
@pytest.mark.parametrize("after_accepting", [False, True])
def test_a_connection_is_cut(pinterest, send, event, kind, after_accepting):
    """No answer comes; the events are kept only when the connection is cut after accepting."""
    pinterest.fault(kind, times=1, after_accepting=after_accepting)
    with pytest.raises(requests.ConnectionError) as caught:
        send(event())
    assert ("reset by peer" in str(caught.value)) == (kind == "reset")
    assert pinterest.copies() == ({"order-1": 1} if after_accepting else {})
    assert pinterest.calls()[0].status == 0
    assert send(event("next")).status_code == 200


@pytest.mark.parametrize("after_accepting", [False, True])
def test_a_call_stalls_until_the_client_hangs_up(pinterest, send, event, after_accepting):
    """The request is read and never answered; it counts as in flight until the client is gone."""
    pinterest.fault("stall", times=1, after_accepting=after_accepting)
    with pytest.raises(requests.ReadTimeout):
        send(event(), timeout=0.05)
    assert pinterest.copies() == ({"order-1": 1} if after_accepting else {})
    assert [(call.status, call.fault) for call in pinterest.calls()] == [(0, "stall")]
    assert send(event("next")).status_code == 200


def test_a_stall_may_end(pinterest, send, event):
    """After ``seconds`` the connection is closed without an answer."""
    pinterest.fault("stall", times=1, seconds=0.02)
    with pytest.raises(requests.ConnectionError):
        send(event())


def test_a_connection_is_closed_after_its_answer(pinterest, send, event):
    """The answer promises to keep the connection, and the server closes it at once."""
    pinterest.fault("close", times=1)
    answer = send(event())
    assert (answer.status_code, answer.headers.get("Connection")) == (200, None)
    with closing(raw_connection(pinterest)) as connection:
        pinterest.fault("close", times=1)
        ask(connection, pinterest, event("second"))
        assert connection.getresponse().read()
        assert connection.sock.recv(1) == b""
    assert pinterest.copies() == {"order-1": 1, "second": 1}


def test_what_is_sent_before_the_connection_closes_is_never_read(pinterest, event):
    """A client that uses the connection again meets a reset, and the server knows nothing of the request."""
    pinterest.fault("close", times=1, seconds=0.05)
    with closing(raw_connection(pinterest)) as connection:
        ask(connection, pinterest, event())
        assert connection.getresponse().read()
        ask(connection, pinterest, event("unread"))
        with pytest.raises(ConnectionResetError):
            connection.getresponse()
    assert len(pinterest.calls()) == 1


def test_an_answer_carries_more_headers(pinterest, send, event):
    """Headers add up, and go along with whatever the answer is."""
    pinterest.fault("headers", headers={"Set-Cookie": "visit=1", "X-Trace": "a"}, times=2)
    pinterest.fault("headers", headers={"X-Trace": "b"}, times=1)
    pinterest.fault("status", status=409, times=1, after=1)
    first, second, third = (send(event(f"e{n}")) for n in range(3))
    assert (first.status_code, first.headers["Set-Cookie"], first.headers["X-Trace"]) == (200, "visit=1", "b")
    assert (second.status_code, second.headers["X-Trace"]) == (409, "a")
    assert "X-Trace" not in third.headers


@pytest.mark.parametrize("after_accepting", [False, True])
def test_a_delay_outlasts_patience(pinterest, send, event, after_accepting):
    """A client that gives up during the delay finds its events kept all the same, now or soon."""
    pinterest.fault("delay", seconds=0.1, after_accepting=after_accepting, times=1)
    with pytest.raises(requests.ReadTimeout):
        send(event(), timeout=0.02)
    assert bool(pinterest.copies()) == after_accepting
    until(pinterest.calls)
    assert pinterest.copies() == {"order-1": 1}


def test_delays_add_to_other_faults(pinterest, send, event):
    """A delay slows the call down and lets the next fault end it."""
    pinterest.fault("delay", seconds=0.05)
    pinterest.fault("status", status=503)
    started = time.monotonic()
    assert send(event()).status_code == 503
    assert time.monotonic() - started >= 0.05
    assert pinterest.calls()[0].fault == "delay status"


@pytest.mark.parametrize("form", ["json", "html", "empty"])
def test_a_success_that_is_no_json(pinterest, send, event, form):
    """A 200 whose body cannot be read says nothing, though the events were kept."""
    pinterest.fault("malformed", form=form)
    answer = send(event())
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert pinterest.copies() == {"order-1": 1}


@pytest.mark.parametrize(("form", "length"), [("short_list", 1), ("long_list", 3), ("no_list", 0)])
def test_a_success_with_the_wrong_list(pinterest, send, event, form, length):
    """A 200 whose list has another length than what was sent."""
    pinterest.fault("malformed", form=form)
    assert len(send(event("a"), event("b")).json().get("events", ())) == length


def test_a_malformed_success_may_have_kept_nothing(pinterest, send, event):
    """``after_accepting`` false answers 200 without keeping anything."""
    pinterest.fault("malformed", form="empty", after_accepting=False)
    assert send(event()).status_code == 200
    assert pinterest.copies() == {}


def test_an_answer_drips(pinterest, send, event):
    """Byte by byte the answer takes long, although no wait between two bytes does."""
    pinterest.fault("drip", seconds=0.0005)
    started = time.monotonic()
    answer = send(event(), timeout=0.05)
    assert answer.json()["num_events_processed"] == 1
    assert time.monotonic() - started >= 0.05


def test_a_client_may_leave_a_drip(pinterest, event, session):
    """A client that hangs up in the middle leaves no trace but the call."""
    pinterest.fault("drip", seconds=0.01)
    url = f"{pinterest.url}/ad_accounts/1/events"
    headers = {"Authorization": f"Bearer {pinterest.token}"}
    with session.post(url, json={"data": [event()]}, headers=headers, stream=True, timeout=5) as answer:
        assert answer.raw.read(1) == b"{"
    assert pinterest.calls()[0].status == 200


def test_a_redirect_is_seen_when_followed(pinterest, send, event, session):
    """307 points elsewhere; a client that follows it shows up among the calls."""
    pinterest.fault("redirect", times=2)
    answer = send(event())
    assert (answer.status_code, answer.headers["Location"]) == (307, "/v5/redirected")
    assert not pinterest.calls(path="/v5/redirected")
    session.post(answer.url, data=b"{}", timeout=5)
    assert pinterest.calls(path="/v5/redirected")


def test_a_redirect_may_lead_anywhere(pinterest, send, event):
    """``location`` sets where to."""
    pinterest.fault("redirect", location="http://localhost:1/")
    assert send(event()).headers["Location"] == "http://localhost:1/"


def test_poison_refuses_every_request_that_carries_it(pinterest, send, event):
    """One event refuses the whole request, whichever others go with it, until the poison is cleared."""
    pinterest.fault("poison", event_id="bad")
    assert send(event("good"), event("bad")).status_code == 400
    assert send(event("bad")).json() == {"code": 4196, "message": "The request was invalid."}
    assert send(event("good")).status_code == 200
    assert pinterest.copies() == {"good": 1}
    pinterest.clear_faults()
    assert send(event("bad")).status_code == 200


def test_a_failing_event_fails_alone(pinterest, send, event):
    """One event fails with the message asked for."""
    pinterest.fault("fail_event", event_id="bad", message="no such user")
    answer = send(event("good"), event("bad"))
    assert answer.status_code == 422
    assert answer.json()["details"]["events"][1]["error_message"] == "no such user"
    assert pinterest.copies() == {"good": 1}


def test_a_fault_may_keep_to_an_account_or_an_endpoint(pinterest, send, event, session):
    """``ad_account_id`` and ``on`` choose whom a fault meets."""
    pinterest.fault("status", status=500, ad_account_id="1")
    pinterest.fault("status", status=503, on="token")
    assert send(event(), account="2").status_code == 200
    assert send(event(), account="1").status_code == 500
    assert session.post(f"{pinterest.url}/oauth/token", timeout=5).status_code == 503


def test_faults_are_switched_over_http(pinterest, send, event, control):
    """What Python can switch on, HTTP can, list with its counts, and switch off."""
    control("POST", "faults", json={"kind": "status", "status": 500, "times": 1})
    control("POST", "faults", json={"kind": "poison", "event_id": "bad"})
    assert statuses(send, event, 2) == [500, 200]
    status, poison = control("GET", "faults")["faults"]
    assert (status["kind"], status["status"], status["seen"], status["met"]) == ("status", 500, 2, 1)
    assert poison == {"kind": "poison", "event_id": "bad", "message": "The request was invalid."}
    assert control("DELETE", "faults") == {"faults": []}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"kind": "explode"}, "unknown kind 'explode'"),
        ({}, "unknown kind 'None'"),
        ({"kind": "drop", "status": 500}, "drop has no option 'status'"),
        ({"kind": "status", "status": "500"}, "status must be of type int"),
        ({"kind": "status", "times": True}, "times must be of type int or NoneType"),
        ({"kind": "status", "status": 99}, "status must be between"),
        ({"kind": "status", "share": 2}, "share must be between"),
        ({"kind": "status", "on": "moon"}, "on must be one of events"),
        ({"kind": "malformed", "form": "x"}, "form must be one of json"),
        ({"kind": "poison"}, "poison needs an event_id"),
    ],
)
def test_a_wrong_fault_is_told(control, wanted, message):
    """An invalid fault is refused, and the message lists the valid values."""
    assert message in control("POST", "faults", json=wanted, status=400)["message"]


def test_the_typed_options_are_the_fault_s():
    """The keyword arguments of ``Sandbox.fault`` are the properties of a fault."""
    assert FaultOptions.__annotations__.keys() | {"kind"} == set(Fault.__slots__)
