"""What the events endpoint accepts, refuses and fails."""

import time

import pytest

OK = {"status": "processed", "error_message": "", "warning_message": ""}
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_good_events_are_processed(pinterest, send, event):
    """Good events get 200, empty messages and a request id, and are kept with all that was sent."""
    sent = [
        event("a"),
        event("b", action_source="offline", custom_data={"value": "72.39", "currency": "EUR"}),
    ]
    answer = send(*sent)
    assert answer.status_code == 200
    assert answer.json() == {"num_events_received": 2, "num_events_processed": 2, "events": [OK, OK]}
    assert answer.headers["x-pinterest-rid"].isdigit()
    assert [received.event for received in pinterest.events()] == sent


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": 1}, "Additional properties are not allowed ('x' was unexpected)"),
        ({"x": 1, "y": 1}, "Additional properties are not allowed ('x', 'y' were unexpected)"),
        ({"custom_data": {"value": 72.39}}, "72.39 is not of type 'string'"),
        ({"event_time": "1"}, "'1' is not of type 'integer'"),
        ({"opt_out": "no"}, "'no' is not of type 'boolean'"),
    ],
)
def test_a_misshapen_event_refuses_the_whole_request(pinterest, send, event, changes, message):
    """One unknown property or wrong type answers 400 in a JSON Schema validator's words; nothing is kept."""
    answer = send(event("good"), event("bad", **changes))
    assert answer.status_code == 400
    assert answer.json() == {"code": 4196, "message": message}
    assert pinterest.events() == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<x/>", b"[]", b"{}", b'{"data": {}}', b'{"data": [NaN]}', b'{"data": ["\\ud800"]}']
)
def test_what_is_no_request_is_refused(send, body):
    """A body that is not JSON, or not an object with a list, answers 400 with a code and a message."""
    answer = send(body=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == 4196


def test_a_body_without_data_is_told_so(send):
    """The missing property is named."""
    assert send(body=b"{}").json()["message"] == "'data' is a required property"


@pytest.mark.parametrize("count", [0, 1001])
def test_a_request_holds_one_to_a_thousand_events(send, event, count):
    """Zero and 1,001 events are refused."""
    assert send(*[event()] * count).status_code == 400


def test_a_thousand_events_are_accepted(pinterest, send, event):
    """The largest batch passes."""
    assert send(*(event(f"e{n}") for n in range(1000))).status_code == 200
    assert pinterest.totals().accepted == 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"event_id": None}, "'event_id' is a required property"),
        ({"event_time": None}, "'event_time' is a required property"),
        ({"user_data": None}, "'user_data' is a required property"),
        ({"event_name": ""}, "'event_name' must not be empty"),
        ({"action_source": "shop"}, "'action_source' must be one of app_android, app_ios, web, offline"),
        ({"event_time": int(time.time() * 1000)}, "'event_time' must be in seconds, not milliseconds"),
        ({"event_time": int(time.time()) + 3600}, "'event_time' must not be in the future"),
        ({"event_time": -1}, "'event_time' must be a Unix timestamp"),
        ({"user_data": {}}, "'user_data' needs em, or"),
        ({"user_data": {"em": []}}, "'user_data' needs em, or"),
        ({"user_data": {"ph": ["a" * 64], "client_ip_address": "192.0.2.1"}}, "'user_data' needs em, or"),
        ({"user_data": {"em": ["ada@example.com"]}}, "'user_data.em' holds a plain-text e-mail address"),
        ({"user_data": {"em": ["a" * 64, "A" * 64]}}, "'user_data.em' is not a SHA-256 hash"),
        ({"user_data": {"em": ["a" * 64 + "\n"]}}, "'user_data.em' is not a SHA-256 hash"),
        (
            {"user_data": {"em": ["a" * 64], "external_id": ["ada@example.com"]}},
            "'user_data.external_id' holds a plain-text e-mail address",
        ),
        ({"user_data": {"em": ["a" * 64], "ph": ["7"]}}, "'user_data.ph' is not a SHA-256"),
        ({"custom_data": {"currency": "XQQ"}}, "'custom_data.currency' is not an ISO-4217 code"),
        ({"custom_data": {"value": "NaN"}}, "'custom_data.value' is not a number"),
        ({"custom_data": {"value": "1e3"}}, "'custom_data.value' is not a number"),
        ({"custom_data": {"predicted_ltv": ""}}, "'custom_data.predicted_ltv' is not a number"),
        (
            {"custom_data": {"contents": [{"item_price": "x"}]}},
            "'custom_data.contents.item_price' is not a number",
        ),
    ],
)
def test_a_bad_event_fails_alone(pinterest, send, event, changes, message):
    """What is wrong with one event fails that event; its neighbours are processed and kept."""
    answer = send(event("before"), event("bad", **changes), event("after"))
    assert answer.status_code == 422
    listing = answer.json()["details"]
    assert (listing["num_events_received"], listing["num_events_processed"]) == (3, 2)
    before, bad, after = listing["events"]
    assert before == after == OK
    assert bad["status"] == "failed"
    assert message in bad["error_message"]
    assert pinterest.copies() == {"before": 1, "after": 1}


def test_all_that_is_wrong_with_an_event_is_told(send, event):
    """One message names every fault."""
    answer = send(event(action_source="shop", event_time=-1))
    message = answer.json()["details"]["events"][0]["error_message"]
    assert "'action_source'" in message
    assert "'event_time'" in message


def test_a_message_holds_nothing_personal(send, event):
    """The verdict on an event names the field, never the value."""
    assert "ada" not in send(event(user_data={"em": ["ada@example.com"]})).text


@pytest.mark.parametrize(
    "user_data",
    [
        {"em": ["a" * 64]},
        {"hashed_maids": ["a" * 64]},
        {"client_ip_address": "192.0.2.1", "client_user_agent": "Mozilla", "unknown": "x"},
    ],
)
def test_each_match_key_will_do(send, event, user_data):
    """Any one of the three match keys is enough, and ``user_data`` may hold unknown properties."""
    assert send(event(user_data=user_data)).status_code == 200


def test_a_clock_a_little_ahead_is_forgiven(send, event):
    """Five minutes in the future is not the future yet."""
    assert send(event(event_time=int(time.time()) + 290)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"event_name": "sign_up"}, "'event_name' is not one of the standard events"),
        ({"user_data": {"em": [EMPTY_HASH]}}, "'user_data.em' holds the hash of an empty text"),
        ({"user_data": {"em": ["a" * 64], "external_id": ["7"]}}, "'external_id' is not in sha256 hashed format"),
        (
            {"user_data": {"em": ["a" * 64], "external_id": ["b" * 64, "B" * 64, "7"]}},
            "'external_id' is not in sha256 hashed format",
        ),
        (
            {"user_data": {"em": ["a" * 64], "external_id": ["b" * 64 + "\n"]}},
            "'external_id' is not in sha256 hashed format",
        ),
    ],
)
def test_a_doubtful_event_is_processed_with_a_warning(send, event, changes, warning):
    """An unknown name or the hash of nothing is accepted and warned of."""
    answer = send(event(**changes))
    assert answer.status_code == 200
    assert answer.json()["events"] == [{**OK, "warning_message": warning}]


def test_the_fields_of_the_newest_description_are_known(pinterest, send, event):
    """They are accepted, and kept as they came."""
    newest = {
        "advertiser_tracking_enabled": False,
        "custom_data": {"contents": [{"id": "a", "item_brand_id": "brand-7"}]},
    }
    assert send(event(**newest)).status_code == 200
    (received,) = pinterest.events()
    assert newest.items() <= received.event.items()


def test_unknown_fields_can_be_let_pass(pinterest, send, event, control):
    """Pinterest's newest description does not close its objects; the sandbox does unless it is told otherwise."""
    strange = event(custom_data={"colour": "red"}, size=1)
    assert send(strange).status_code == 400
    pinterest.settings(unknown_fields="accept")
    assert send(strange).status_code == 200
    assert pinterest.events()[0].event == strange
    assert send(event(custom_data={"value": 1})).status_code == 400
    control("POST", "settings", json={"unknown_fields": "refuse"})
    assert send(event(size=1)).json()["message"] == "Additional properties are not allowed ('size' was unexpected)"


def shape_of(answer):
    body = answer.json()
    return (
        answer.status_code,
        "code" in body,
        len(body.get("events", ())),
        len(body.get("details", {}).get("events", ())),
    )


@pytest.mark.parametrize(
    "choice",
    [
        ("422-details", (422, True, 0, 2)),
        ("422-top", (422, True, 2, 0)),
        ("422-bare", (422, True, 0, 0)),
        ("200", (200, False, 2, 0)),
    ],
)
def test_the_shape_of_a_partial_failure_can_be_chosen(pinterest, send, event, control, choice):
    """Pinterest leaves it open, so all four shapes can be had, from Python and over HTTP."""
    partial_failure, shape = choice
    pinterest.settings(partial_failure=partial_failure)
    assert shape_of(send(event(), event(user_data={}))) == shape
    pinterest.settings(partial_failure="422-details")
    control("POST", "settings", json={"partial_failure": partial_failure})
    assert shape_of(send(event(), event(user_data={}))) == shape
    assert send(event()).status_code == 200


def test_test_calls_are_judged_but_not_recorded(pinterest, send, event):
    """A test call gets real answers; what it carried is kept apart."""
    assert send(event("a"), test="true").status_code == 200
    assert send(event("b", user_data={"em": ["ada@example.com"]}), test="true").status_code == 422
    assert send(event("c"), test="false").status_code == 200
    assert [received.event_id for received in pinterest.events()] == ["c"]
    assert [received.event_id for received in pinterest.events(test=True)] == ["a"]
    assert len(pinterest.events(test=None)) == 2
    assert pinterest.copies() == {"c": 1}


def test_test_is_a_boolean(send, event):
    """Any other word than true and false is refused."""
    assert send(event(), test="yes").json()["message"] == "'yes' is not of type 'boolean'"


def test_copies_are_counted_not_merged(pinterest, send, event):
    """The same event twice gives two ``processed``, as at Pinterest, and two copies here."""
    answer = send(event("twice"), event("twice"), event("once"))
    assert answer.json()["num_events_processed"] == 3
    assert pinterest.copies() == {"twice": 2, "once": 1}
    assert pinterest.copies(duplicates_only=True) == {"twice": 2}


@pytest.mark.parametrize("account", ["abc", "1234567890123456789", "1a", "%D9%A1"])
def test_an_account_is_digits(send, event, account):
    """An account id is at most eighteen ASCII digits."""
    assert send(event(), account=account).status_code == 400


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}])
def test_only_plain_json_is_read(send, event, headers):
    """Another content type or a compressed body, neither of which is documented, is refused."""
    assert send(event(), headers=headers).status_code == 400


def test_a_large_body_is_too_large(pinterest, send, event):
    """Beyond the limit the answer is 413; nothing is kept."""
    pinterest.settings(max_body_bytes=300)
    answer = send(event(), event())
    assert answer.status_code == 413
    assert len(answer.content) < 200
    assert send(event()).status_code == 200
    assert pinterest.totals().accepted == 1


def test_a_body_of_five_megabytes_is_too_large_by_default(send, event):
    """The default limit is five million bytes, and such a body is read to its end before it is refused."""
    assert send(event(event_source_url="x" * 5_000_000)).status_code == 413
    assert send(event(event_source_url="x" * 4_900_000)).status_code == 200


def test_unknown_paths_and_wrong_methods(pinterest, session):
    """Unknown paths answer 404, wrong methods 405 with what is allowed, both as JSON with a request id."""
    missing = session.get(f"{pinterest.url}/nowhere", timeout=5)
    assert (missing.status_code, missing.json()["message"]) == (404, "Not found.")
    wrong = session.get(f"{pinterest.url}/ad_accounts/1/events", timeout=5)
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert {call.status for call in pinterest.calls()} == {404, 405}
    assert missing.headers["x-pinterest-rid"]
    assert wrong.headers["x-pinterest-rid"]
