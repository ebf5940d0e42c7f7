"""Every status, header, body and exception becomes exactly one answer, cleaned of what may be personal."""

from __future__ import annotations

import re
import time
from email.utils import format_datetime

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from airflow_provider_pinterest.api.events_endpoint import Answer, PerEventResults, Refused, read_answer
from airflow_provider_pinterest.api.responses import (
    AccessDenied,
    OutcomeUnknown,
    Reply,
    TooLarge,
    Trace,
    Unavailable,
    retry_after,
)
from airflow_provider_pinterest.redaction import TEXT_LIMIT, clean
from tests.tracing import SLOWER

NOW = 1_790_000_000.0
PROCESSED = {"status": "processed", "error_message": "", "warning_message": ""}
FAILED = {"status": "failed", "error_message": "'em' is not a hash", "warning_message": ""}
HASH = "252f10c83610ebca1a059c0bae8255eba2f95be4d1d7bcfa89d7248a82d9f111"


def read(status, document=None, *, sent=2, body=None, **headers) -> Answer:
    found = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return read_answer(Reply(status, found, orjson.dumps(document) if body is None else body), sent, NOW)


LISTS = {
    "at the top level, as published": {"events": [PROCESSED, FAILED]},
    "as details itself": {"code": 4196, "details": [PROCESSED, FAILED]},
    "in details": {"details": {"events": [PROCESSED, FAILED]}},
    "in details under another name": {"details": {"results": [PROCESSED, FAILED]}},
    "one level deeper": {"details": {"response": {"events": [PROCESSED, FAILED]}}},
    "beside an empty list": {"events": [], "details": {"events": [PROCESSED, FAILED]}},
}


@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize("document", LISTS.values(), ids=LISTS)
def test_a_list_of_outcomes_is_found(status, document):
    answer = read(status, document)

    assert isinstance(answer, PerEventResults)
    assert answer.failed == {1: "'em' is not a hash"}
    assert answer.unknown == frozenset()
    assert answer.trace.status == status


UNREADABLE = {
    "nothing": b"",
    "HTML": b"<html><body>Please log in</body></html>",
    "half a document": b'{"events":[{"status":"proc',
    "no list": b"{}",
    "too short a list": orjson.dumps({"events": [PROCESSED]}),
    "too long a list": orjson.dumps({"events": [PROCESSED] * 3}),
    "a list of texts": b'{"events":["processed","processed"]}',
    "a bare list": orjson.dumps([PROCESSED, PROCESSED]),
    "a number": b"7",
    "null": b"null",
    "no UTF-8": b'{"message":"\xff"}',
    "a list of something else": b'{"details":[{"loc":"user_data.em"},{"loc":"user_data.ph"}]}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_200_without_an_outcome_for_each_event_is_never_a_success(body):
    assert isinstance(read(200, body=body), OutcomeUnknown)


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_422_without_an_outcome_for_each_event_may_have_been_accepted_in_part(body):
    answer = read(422, body=body)

    assert isinstance(answer, Refused)
    assert answer.partly


@pytest.mark.parametrize("word", ["PROCESSED", "skipped", "", None, 1, ["processed"], {}])
def test_a_status_of_another_word_is_unknown(word):
    answer = read(200, {"events": [PROCESSED, {"status": word}]})

    assert isinstance(answer, PerEventResults)
    assert answer.unknown == {1}
    assert answer.failed == {}


def test_an_outcome_without_a_status_is_unknown_beside_others_that_have_one():
    answer = read(200, {"events": [PROCESSED, {"error_message": ""}]})

    assert isinstance(answer, PerEventResults)
    assert answer.unknown == {1}


def test_a_single_event_s_error_is_not_taken_for_its_outcome():
    """Bisecting ends at one event; a list with what is wrong with it has the length of a list of outcomes."""
    answer = read(422, {"code": 1, "details": [{"field": "em", "message": "is not a hash"}]}, sent=1)

    assert isinstance(answer, Refused)


def test_a_failed_event_without_words_gets_some():
    answer = read(200, {"events": [{"status": "failed"}, {"status": "failed", "error_message": None}]})

    assert isinstance(answer, PerEventResults)
    assert answer.failed == dict.fromkeys((0, 1), "Pinterest gave no message")


def test_events_processed_with_a_warning_are_counted():
    warned = PROCESSED | {"warning_message": "is not one of the standard events"}

    answer = read(200, {"events": [warned, warned | {"status": "failed"}]})

    assert isinstance(answer, PerEventResults)
    assert answer.warnings == 1


KINDS: dict[type, list[int]] = {
    Refused: [400],
    AccessDenied: [
        *(300, 301, 302, 303, 304, 307, 308, 399),
        *(401, 402, 403, 404, 405, 406, 407, 410, 411, 412, 414, 415, 416, 417, 418, 424, 426, 428, 431, 444, 451, 498),
        *(501, 505, 511),
    ],
    TooLarge: [413],
    Unavailable: [409, 421, 425, 429, 503],
    OutcomeUnknown: [
        *(100, 101, 199, 201, 202, 204, 206, 299, 408, 499),
        *(500, 502, 504, 507, 520, 522, 524, 529, 599, 999),
    ],
}


@pytest.mark.parametrize(("kind", "status"), [(kind, status) for kind, found in KINDS.items() for status in found])
def test_every_other_status_is_read_alone_whatever_the_body_says(kind, status):
    for document in ({}, {"events": [PROCESSED, PROCESSED]}, {"code": 1, "message": "no"}):
        answer = read(status, document)
        assert type(answer) is kind
        assert answer.trace.status == status
        if isinstance(answer, Refused):
            assert not answer.partly
        if isinstance(answer, Unavailable):
            assert answer.for_all is (status == 429)


def test_the_trace_says_what_pinterest_s_support_asks_for():
    answer = read(400, {"code": 4196, "message": "Additional properties"}, x_pinterest_rid="12-a.b\r\n<c>")

    assert answer.trace == Trace(400, 4196, "Additional properties", "12-a.bc")
    assert str(answer.trace) == "HTTP 400, code 4196, Additional properties, x-pinterest-rid 12-a.bc"
    assert str(Trace(message="connection refused")) == "no answer, connection refused"


def test_the_reason_is_the_shortest_description():
    assert Trace(503, 4197, "Service unavailable").reason == "HTTP 503"
    assert Trace(message="connection refused", host="api.example.com").reason == "connection refused"
    assert Trace().reason == "no answer"


BROKEN: dict[type, list[int]] = {
    OutcomeUnknown: [200, 422, 500],
    Refused: [400],
    AccessDenied: [401, 403, 302],
    Unavailable: [429, 503],
    TooLarge: [413],
}


@pytest.mark.parametrize(("kind", "status"), [(kind, status) for kind, found in BROKEN.items() for status in found])
def test_a_body_that_breaks_off_leaves_the_status(kind, status):
    answer = read_answer(Reply(status, CaseInsensitiveDict({"Retry-After": "3"}), None), 2, NOW)

    assert type(answer) is kind


@pytest.mark.parametrize("code", [True, "8", 1.5, None, [8]])
def test_a_code_that_is_no_integer_is_left_out(code):
    assert read(400, {"code": code}).trace.code is None


WAITS: dict[str, tuple[dict[str, str], float | None]] = {
    "no header": ({}, None),
    "seconds": ({"Retry-After": "120"}, 120),
    "zero": ({"Retry-After": "0"}, 0),
    "spaces around": ({"Retry-After": " 7 "}, 7),
    "a fraction": ({"Retry-After": "1.5"}, 1.5),
    "hours": ({"Retry-After": "67150"}, 67_150),
    "three days": ({"Retry-After": "259200"}, 86_400),
    "decades": ({"Retry-After": "999999999"}, 86_400),
    "a reset in decades": ({"X-RateLimit-Reset": "999999999"}, 86_400),
    "a date in three days": ({"Retry-After": "Thu, 24 Sep 2026 14:14:40 GMT"}, 86_400),
    "negative": ({"Retry-After": "-5"}, None),
    "with a plus": ({"Retry-After": "+5"}, None),
    "an exponent": ({"Retry-After": "1e3"}, None),
    "a word": ({"Retry-After": "soon"}, None),
    "empty": ({"Retry-After": ""}, None),
    "not a number": ({"Retry-After": "nan"}, None),
    "infinity": ({"Retry-After": "inf"}, None),
    "digits of another script": ({"Retry-After": "٣"}, None),
    "longer than a life": ({"Retry-After": "9" * 40}, None),
    "a date": ({"Retry-After": "Mon, 21 Sep 2026 14:14:40 GMT"}, 80),
    "a date in another zone": ({"Retry-After": "Mon, 21 Sep 2026 16:14:40 +0200"}, 80),
    "a date without zone": ({"Retry-After": "Mon, 21 Sep 2026 14:14:40"}, 80),
    "a date in the past": ({"Retry-After": "Mon, 21 Sep 2026 14:13:19 GMT"}, None),
    "a date that means never": ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 86_400),
    "a year beyond": ({"Retry-After": "Fri, 31 Dec 10000 23:59:59 GMT"}, None),
    "a zone beyond": ({"Retry-After": "Mon, 21 Sep 2026 14:14:40 +99999999999999999999"}, None),
    "half a date": ({"Retry-After": "Mon, 21"}, None),
    "a reset": ({"X-RateLimit-Reset": "30"}, 30),
    "a reset of 18.6 hours": ({"X-RateLimit-Reset": "67150"}, 67_150),
    "a reset that is a moment": ({"X-RateLimit-Reset": "1790000060"}, None),
    "a reset that is a date": ({"X-RateLimit-Reset": "Mon, 21 Sep 2026 14:14:40 GMT"}, None),
    "both": ({"Retry-After": "5", "X-RateLimit-Reset": "30"}, 5),
    "a word and a reset": ({"Retry-After": "soon", "X-RateLimit-Reset": "30"}, 30),
    "the past and a reset": ({"Retry-After": "Mon, 21 Sep 2026 14:13:19 GMT", "X-RateLimit-Reset": "30"}, 30),
    "lower case": ({"retry-after": "5"}, 5),
}


@pytest.mark.parametrize(("headers", "wait"), WAITS.values(), ids=WAITS)
def test_the_wait_pinterest_asks_for(headers, wait):
    assert retry_after(CaseInsensitiveDict(headers), NOW) == wait


@pytest.mark.parametrize("status", [429, 503, 500, 504])
def test_unavailable_and_outcome_unknown_carry_the_wait(status):
    answer = read(status, {}, Retry_After="3")

    assert isinstance(answer, Unavailable | OutcomeUnknown)
    assert answer.retry_after == 3


@given(st.datetimes())
def test_any_date_in_the_future_is_a_wait_of_a_length_that_airflow_can_store(moment):
    wait = retry_after({"Retry-After": format_datetime(moment)}, NOW)

    assert wait is None or 0 < wait <= 86_400


HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "X-RateLimit-Reset", "x-pinterest-rid", "Content-Type"]),
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,5} \d+:\d+:\d+ [-+]?\w+", fullmatch=True),
)
OUTCOMES: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    st.sampled_from(["status", "error_message", "warning_message"]),
    st.sampled_from(["processed", "failed", "", None, 1, [], {}]) | st.text(max_size=5),
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["code", "message", "details", "events"]),
    st.lists(OUTCOMES, max_size=3)
    | st.dictionaries(st.sampled_from(["events", "a"]), st.lists(OUTCOMES, max_size=3))
    | st.integers(-(2**63), 2**63)
    | st.text(max_size=20)
    | st.none(),
)


@given(
    st.integers(-1, 1000) | st.sampled_from([200, 400, 422, 429, 503]),
    HEADERS,
    st.binary(max_size=200) | DOCUMENTS.map(orjson.dumps) | st.just(b"[" * 100_000),
    st.integers(1, 3),
    st.floats(0, 4e9),
)
@example(429, {"Retry-After": "Mon, 1 Jan 2026 0:0:0 +99999999999999999999"}, b"", 1, 0.0)
def test_any_answer_can_be_read_and_only_a_full_list_accounts_for_events(status, headers, body, sent, now):
    answer = read_answer(Reply(status, CaseInsensitiveDict(headers), body), sent, now)

    assert isinstance(answer, PerEventResults | Refused | AccessDenied | TooLarge | Unavailable | OutcomeUnknown)
    if isinstance(answer, PerEventResults):
        assert status in (200, 422)
        assert not answer.failed.keys() & answer.unknown
        assert all(0 <= position < sent for position in (*answer.failed, *answer.unknown))
    if isinstance(answer, Unavailable | OutcomeUnknown):
        assert answer.retry_after is None or 0 <= answer.retry_after <= 86_400


PERSONAL = {
    "an address": "ada@example.com",
    "an address between words": "the address <ada.l+x@mail.example.co.uk> is bad",
    "half an address": "@example.com is no ada@",
    "an address after a number": "1234567 1@example.com",
    "a lone at": "ada @ example",
    "a hash": HASH,
    "a hash in capitals": HASH.upper(),
    "a hash within a word": f"em_{HASH}_x",
    "a hash after a letter": f"g{HASH}",
    "a short hash behind an underscore": f"_{'a1' * 16}",
    "a phone number": "+49 (0) 170 / 123-45.67",
    "digits": "the id 1234567",
    "digits within a word": "order1234567x",
    "an IPv4 address": "from 203.0.113.77",
    "a full IPv6 address": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "a short IPv6 address": "2001:db8::8a2e:7348",
    "a conversion token": "Bearer pina_" + "Ab-9_" * 20,
    "a click id": "epik=dj0yJnU9" + "Zx_8-" * 12,
}
LEAKS = re.compile(r"@|[0-9a-fA-F]{32}|[0-9]{7}|203\.0|2001:|pina_|dj0y|170")


@pytest.mark.parametrize("text", PERSONAL.values(), ids=PERSONAL)
def test_what_may_be_personal_is_taken_out_of_pinterest_s_words(text):
    assert not LEAKS.search(clean(text))
    assert not LEAKS.search(clean({"message": [text]}))


@pytest.mark.parametrize(
    "text",
    [
        "Additional properties are not allowed ('valu' was unexpected)",
        "'user_data.em' is not a SHA-256 hash in lowercase hexadecimal",
        "Not all events were successfully processed.",
        "'custom_data.value' must be a string, got 72.39",
        "event_time must be within 7 days, 24 hours or 604800 seconds",
    ],
)
def test_words_that_help_are_kept(text):
    assert clean(text) == text


def test_a_message_becomes_one_line_of_limited_length():
    assert clean("a\n b\t\u2028c") == "a b c"
    assert len(clean("no " * 1_000)) == TEXT_LIMIT


def test_what_is_cut_off_a_message_leaves_no_part_of_an_identifier():
    for shift in range(80):
        text = "x" * shift + f" {HASH} ada@example.com 491701234567" * 3_000
        assert not re.search(r"@|[0-9a-f]{20}|\d{5}|example", clean(text))


def test_a_message_of_megabytes_is_cleaned_at_once():
    """A list of a thousand of them must not hold up the sender."""
    started = time.process_time()

    for text in ("a" * 2_000_000, "1(" * 500_000, "a:" * 500_000, "a-" * 500_000, "1" + " " * 2_000_000):
        for _ in range(50):
            clean(text)

    assert time.process_time() - started < 5 * SLOWER


PIECES = st.lists(
    st.sampled_from(["@", " ", "_", "-", ".", "+", "é", "g", "\n", HASH[:31], HASH[:32], "123456", "7", "1.2.3.4"])
    | st.text(max_size=4)
).map("".join)


@given(st.text() | PIECES)
def test_no_address_no_hash_and_no_long_number_is_left(text):
    found = clean(text)

    assert "@" not in found
    assert not re.search(r"[0-9a-fA-F]{32}", found)
    assert not re.search(r"[0-9]{7}", found)
    assert len(found) <= TEXT_LIMIT
    assert clean(found) == found
