"""What was received can be looked at, in Python and over HTTP, and kept in a file."""

import sqlite3

import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sandbox.settings import SandboxSettings, SettingsChanges


@pytest.fixture
def some(send, event):
    """Four accepted copies on two accounts and one test call."""
    send(event("a"), event("b", action_source="offline"), account="1")
    send(event("a"), event("c", event_name="lead"), account="2")
    send(event("t"), account="1", test="true")


@pytest.mark.usefixtures("some")
def test_events_are_listed_by_filter(pinterest, control):
    """Each filter narrows the list the same way over HTTP and in Python."""
    for filters, found in [
        ({}, "abac"),
        ({"ad_account_id": "2"}, "ac"),
        ({"event_id": "a"}, "aa"),
        ({"event_name": "lead"}, "c"),
        ({"action_source": "offline"}, "b"),
        ({"ad_account_id": "1", "event_id": "c"}, ""),
    ]:
        assert "".join(received.event_id for received in pinterest.events(**filters)) == found
        listed = control("GET", "events", params=filters)
        assert "".join(received["event_id"] for received in listed["events"]) == found
        assert listed["matching"] == len(found)


@pytest.mark.usefixtures("some")
def test_events_are_listed_by_page(control):
    """The list comes in pages, with the totals of all."""
    page = control("GET", "events", params={"limit": 2, "offset": 1})
    assert [received["event_id"] for received in page["events"]] == ["b", "a"]
    assert (page["calls"], page["accepted"], page["distinct"], page["test"]) == (3, 4, 4, 1)


@pytest.mark.usefixtures("some")
def test_test_events_are_listed_when_asked_for(control):
    """``test=true`` lists those of test calls, ``test=any`` all."""
    assert [e["event_id"] for e in control("GET", "events", params={"test": "true"})["events"]] == ["t"]
    assert control("GET", "events", params={"test": "any"})["matching"] == 5


def test_copies_are_counted_by_event(send, event, control):
    """A copy is of the same account, name and id; duplicates can be asked for alone."""
    send(event("a"), event("a"), event("a", event_name="lead"), account="1")
    send(event("a"), account="2")
    rows = control("GET", "events/copies")["copies"]
    assert [(r["ad_account_id"], r["event_name"], r["copies"]) for r in rows] == [
        ("1", "checkout", 2),
        ("1", "lead", 1),
        ("2", "checkout", 1),
    ]
    (twice,) = control("GET", "events/copies", params={"duplicates": "true"})["copies"]
    assert twice == {"ad_account_id": "1", "event_name": "checkout", "event_id": "a", "copies": 2}


def test_calls_are_listed(pinterest, send, event, control):
    """Each call leaves its time, path, status, counts, bytes and user agent."""
    send(event("a"), event("b", user_data={}), headers={"User-Agent": "me/1"})
    send(body=b"{")
    first, second = pinterest.calls()
    assert (first.number, first.method, first.path) == (1, "POST", "/v5/ad_accounts/549755885175/events")
    assert (first.status, first.events, first.accepted, first.user_agent) == (422, 2, 1, "me/1")
    assert (second.number, second.status, second.events, second.bytes) == (2, 400, 0, 1)
    assert first.bytes > 200
    assert (first.in_flight, first.fault, first.test) == (1, "", False)
    assert pinterest.calls(status=400) == [second]
    listed = control("GET", "calls", params={"status": 422})
    assert [call["rid"] for call in listed["calls"]] == [first.rid]
    assert listed["by_status"] == {"400": 1, "422": 1}


@pytest.mark.usefixtures("some")
def test_everything_can_be_forgotten(pinterest, send, event, control):
    """Over HTTP what was received goes; in Python the faults and the counted calls go too."""
    control("DELETE", "events")
    assert (pinterest.events(test=None), pinterest.calls()) == ([], [])
    pinterest.settings(calls_per_window=1)
    pinterest.fault("status", status=500, after=1)
    assert send(event()).status_code == 200
    pinterest.clear()
    assert [send(event("z")).status_code for _ in range(2)] == [200, 429]
    assert pinterest.copies() == {"z": 1}


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        ("events", {"limit": "x"}, "limit must be a whole number, not 'x'"),
        ("events", {"test": "maybe"}, "test must be true or false, not 'maybe'"),
        ("events/copies", {"duplicates": "1"}, "duplicates must be true or false, not '1'"),
        ("calls", {"status": "ok"}, "status must be a whole number, not 'ok'"),
    ],
)
def test_a_wrong_question_is_told(control, path, params, message):
    """What is not understood answers 400 with what was expected."""
    assert control("GET", path, params=params, status=400)["message"] == message


def test_a_file_keeps_what_was_received(tmp_path, event, session):
    """A file can be read with any SQLite tool, and a second run goes on where the first ended."""
    path = tmp_path / "received.db"
    for _ in range(2):
        with Sandbox(db=path) as pinterest:
            url = f"{pinterest.url}/ad_accounts/1/events"
            headers = {"Authorization": f"Bearer {pinterest.token}"}
            session.post(url, json={"data": [event("a")]}, headers=headers, timeout=5)
            copies, numbers = pinterest.copies(), [call.number for call in pinterest.calls()]
    assert (copies, numbers) == ({"a": 2}, [1, 2])
    db = sqlite3.connect(path)
    try:
        rows = db.execute("SELECT event_id, json_extract(event, '$.event_name') FROM events").fetchall()
    finally:
        db.close()
    assert rows == [("a", "checkout")] * 2


def test_the_json_of_events_need_not_be_kept(pinterest, send, event):
    """For large runs, counting is enough."""
    pinterest.settings(keep_json=False)
    send(event("a"))
    assert pinterest.copies() == {"a": 1}
    assert pinterest.events()[0].event is None


def test_the_page_says_what_it_is(pinterest, send, event, session):
    """The page at ``/`` shows the counters and the faults, and breaks on no fault's text."""
    send(event())
    pinterest.fault("poison", event_id="<b>")
    page = session.get(pinterest.url.removesuffix("v5"), timeout=5)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "accepted: 1" in page.text
    assert "<b>" not in page.text


def test_health(control):
    """The health check answers when calls are answered."""
    assert control("GET", "health") == {"status": "ok"}


def test_settings_are_read_and_changed(pinterest, control):
    """HTTP and Python see the same settings."""
    changed = control("POST", "settings", json={"retry_header": "none", "ad_account_ids": ["1"]})
    assert changed["retry_header"] == "none"
    assert control("GET", "settings") == changed
    assert pinterest.settings().ad_account_ids == ("1",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "unknown setting 'colour'"),
        ({"partial_failure": "207"}, "partial_failure must be one of 422-details"),
        ({"calls_per_window": 1.5}, "calls_per_window must be a whole number, 0 or more"),
        ({"window_seconds": -1}, "window_seconds must be a number, 0 or more"),
        ({"keep_json": 1}, "keep_json must be true or false"),
        ({"ad_account_ids": "1"}, "ad_account_ids must be a list of strings"),
    ],
)
def test_a_wrong_setting_is_told(control, changes, message):
    """An invalid setting is refused, the message says what is valid, and nothing changes."""
    assert message in control("POST", "settings", json=changes, status=400)["message"]
    with pytest.raises(ValueError, match=message.split(",")[0]):
        SandboxSettings().changed(changes)


@pytest.mark.parametrize("body", [b"[]", b"{"])
def test_the_sandbox_s_own_paths_want_a_json_object(control, body):
    """Anything else answers 400."""
    assert control("POST", "settings", data=body, status=400)["code"] == 400


def test_the_typed_settings_are_the_settings():
    """The keyword arguments of ``Sandbox`` are the settings."""
    assert SettingsChanges.__annotations__.keys() == set(SandboxSettings.__slots__)
