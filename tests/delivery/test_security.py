"""What must never leave: the token, to anywhere but Pinterest; personal data, into logs, XCom, errors or rejects."""

import datetime as dt
import hashlib
import json
import logging
import re
import socket
import stat
import traceback
from pathlib import Path

import pytest

from airflow_provider_pinterest.api.ad_account import account_id
from airflow_provider_pinterest.api.client import PRODUCTION, Client, base_url
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.events_endpoint import EventsEndpoint, PerEventResults
from airflow_provider_pinterest.api.responses import AccessDenied, Misconfigured, OutcomeUnknown
from airflow_provider_pinterest.exceptions import CredentialError, ParameterError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.redaction import Secret
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sandbox.tokens import Token
from harness.certificates import certificate
from harness.scripted_server import ScriptedReply, drips_its_head, says_nothing, serving
from harness.task import RecordingTaskInstance
from tests.api.wire import client
from tests.running import logged, row, rows, run

# Airflow 2.11 asks a path about its future.
TOKEN = "pina_do_not_show_me"
TOKENS = Tokens(Secret(TOKEN), Secret("pinr_hidden"), "7", Secret("shh"))
EMAIL = "ada.lovelace@example.com"
PHONE = "+44 20 7946 0958"
SECRETS = (
    TOKEN,
    "Bearer",
    EMAIL,
    "ada.lovelace",
    hashlib.sha256(EMAIL.encode()).hexdigest(),
    PHONE,
    "7946 0958",
    "442079460958",
    "203.0.113.77",
    "Mozilla/9.9",
)


def nothing_of_it_in(*texts):
    for text in texts:
        assert text
        for secret in SECRETS:
            assert secret not in text, f"{secret} in {text[max(0, text.find(secret) - 300) : text.find(secret) + 100]}"


# ---- the host ----


@pytest.mark.parametrize(
    "host",
    [
        "http://api.pinterest.com/v5",
        "http://127.0.0.1.evil.example/v5",
        "http://localhost.evil.example/v5",
        "http://10.0.0.1/v5",
        "http://0.0.0.0/v5",
        "http://[::ffff:8.8.8.8]/v5",
        "ftp://api.pinterest.com/v5",
        "file:///etc/passwd",
        "//api.pinterest.com/v5",
        "api.pinterest.com/v5",
        "https://",
        "https://user@api.pinterest.com/v5",
        "https://user:pw@api.pinterest.com/v5",
        "https://:pw@api.pinterest.com/v5",
        "https://api.pinterest.com/v5?x=1",
        "https://api.pinterest.com/v5?",
        "https://api.pinterest.com/v5#x",
        "https://api.pinterest.com\\@evil.example/v5",
        "https://api.pinterest.com:port/v5",
        "https://api.pinterest.com:99999/v5",
        "https://[::1/v5",
        "https://api.pinterest.com /v5",
        "https://api.pinterest\n.evil.example/v5",
        "https://api.pinterest.com/v5\r\nX-Header: 1",
    ],
)
def test_the_host_is_https_and_nothing_else_but_this_machine(host):
    with pytest.raises(ParameterError, match="host") as raised:
        base_url(host)

    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    "host",
    [None, "", PRODUCTION, f" {PRODUCTION}/ ", "http://127.0.0.1:1/v5", "http://[::1]:8080/v5", "http://localhost/v5"],
)
def test_these_hosts_are_good(host):
    assert base_url(host) == (host or PRODUCTION).strip().rstrip("/")


@pytest.mark.parametrize(
    "account",
    [
        "",
        "1/../2",
        "1?test=true",
        "1#",
        "1%2F2",
        "a",
        "-1",
        "1.5",
        "1 2",
        "1\n2",
        "²",
        "٣",
        "9" * 19,
        None,
        True,
        b"1",
        [1],
    ],
)
def test_an_ad_account_s_id_cannot_change_the_path(account):
    with pytest.raises(ParameterError, match="ad_account_id"):
        account_id(account)
    with pytest.raises(ParameterError, match="ad_account_id"):
        EventsEndpoint(Client(PRODUCTION, Credential(Tokens(Secret("t"))))).send(account, b"{}", 1)


# ---- the wire ----


@pytest.fixture
def tls(tmp_path):
    return certificate(tmp_path)


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(tls):
    with serving(tls=tls[0]) as wire, client(wire.url, token=TOKEN) as pinterest:
        answer = pinterest.post(b"{}", 1)

        assert isinstance(answer, Misconfigured)
        assert "REQUESTS_CA_BUNDLE" in answer.trace.advice
        assert wire.heads == []


def test_a_certificate_that_is_vouched_for_is_good(tls, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[1]))
    with serving(tls=tls[0]) as wire, client(wire.url, token=TOKEN) as pinterest:
        assert isinstance(pinterest.post(b"{}", 1), PerEventResults)
        assert wire.bodies == [b"{}"]


def breaks_the_encryption(wire, connection):
    """Write what is no TLS record into the encrypted connection."""
    socket.socket.send(connection, b"HTTP/1.1 200 OK\r\n\r\n" * 10)


def test_an_error_of_tls_after_the_request_went_out_has_an_unknown_outcome(tls, monkeypatch):
    """Taken for a refused connection, offline events would be sent twice."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[1]))
    with serving(breaks_the_encryption, tls=tls[0]) as wire, client(wire.url) as pinterest:
        answer = pinterest.post(b"{}", 1)

        assert wire.bodies == [b"{}"]
    assert isinstance(answer, OutcomeUnknown)


@pytest.mark.parametrize("handler", [says_nothing, drips_its_head], ids=["nothing", "dripping"])
def test_a_call_cut_off_over_tls_has_an_unknown_outcome(handler, tls, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[1]))
    with serving(handler, tls=tls[0]) as wire, client(wire.url, timeouts=(2.0, 5.0, 0.1)) as pinterest:
        assert isinstance(pinterest.post(b"{}", 1), OutcomeUnknown)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_carries_neither_token_nor_body_elsewhere(status):
    with serving() as elsewhere:
        redirect = ScriptedReply(status, b"", {"Location": f"{elsewhere.url}/ad_accounts/1/events"})
        with serving(redirect) as wire, client(wire.url, token=TOKEN) as pinterest:
            answer = pinterest.post(b"{}", 1)

            assert len(wire.heads) == 1
        assert isinstance(answer, AccessDenied)
        assert elsewhere.heads == []


def test_the_token_is_sent_once_in_its_header():
    with serving() as wire, client(wire.url, token=TOKEN) as pinterest:
        pinterest.post(b"{}", 1)

    (head,) = wire.heads
    assert head.count(TOKEN.encode()) == 1
    assert b"Authorization: Bearer " + TOKEN.encode() in head


# ---- reprs ----


def test_no_repr_shows_a_secret():
    credential = Credential(TOKENS)
    made = Client(PRODUCTION, credential)

    for shown in (repr(credential), str(credential), repr(made), f"{vars(made)}", f"{vars(credential)}"):
        for secret in (TOKEN, "pinr_hidden", "shh"):
            assert secret not in shown
    made.close()


def test_a_credential_error_does_not_repeat_what_was_tried():
    with Sandbox() as pinterest, client(pinterest.url) as found:
        credential = Credential(TOKENS)
        found.client.credential = credential
        with pytest.raises(CredentialError) as raised:
            found.renew(Secret(TOKEN))

    shown = "".join(traceback.format_exception(raised.value))
    assert not any(secret in shown for secret in (TOKEN, "pinr_hidden", "shh"))
    assert raised.value.__context__ is None


# ---- a whole run ----

SAYS = f"'{EMAIL}' {hashlib.sha256(EMAIL.encode()).hexdigest()} {PHONE} 203.0.113.77 is not a hash"
PERSON = {
    "email": EMAIL,
    "phone": PHONE,
    "client_ip_address": "203.0.113.77",
    "client_user_agent": "Mozilla/9.9",
}

FAULTS = {
    "poison": ("poison", {"event_id": "order-7", "message": SAYS}),
    "an event that fails": ("fail_event", {"event_id": "order-7", "message": SAYS}),
    "every event refused": ("status", {"status": 400, "body": {"code": 1, "message": SAYS}}),
    "denied": ("status", {"status": 403, "body": {"code": 1, "message": SAYS}}),
    "unavailable": ("status", {"status": 503, "body": {"code": 1, "message": SAYS}}),
    "a server error": ("status", {"status": 500, "body": {"code": 1, "message": SAYS}}),
    "an echo": ("status", {"status": 200, "body": f"<html>{SAYS} {TOKEN}</html>"}),
    "reset": ("reset", {}),
    "redirect": ("redirect", {"location": f"https://evil.example/?email={EMAIL}&token={TOKEN}"}),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("source", ["web", "offline"])
def test_a_run_that_fails_shows_nothing_personal_and_no_token(fault, source, connect, tmp_path):
    """Looks at every log record from DEBUG on, the error with its traceback, XCom, and the rejects."""
    with Sandbox() as pinterest:
        pinterest.add_token(Token(TOKEN))
        connect(pinterest, password=TOKEN)
        pinterest.fault(fault[0], **fault[1])
        people = rows(12, action_source=source, **PERSON)
        people.append(row(90, **{**PERSON, "currency": "EURO", "value": EMAIL}))
        people.append(row(91, email=None, phone=PHONE))
        ti = RecordingTaskInstance()
        operator = SendConversionsOperator(
            task_id="send",
            events=people,
            batch_size=4,
            max_rejected=0,
            max_wait=dt.timedelta(0),
            rejects_path=f"file://{tmp_path}/rejects",
            key_columns=("event_name",),
        )
        ran = run(operator, ti=ti)

    assert ran.error is not None
    rejects = [part.read_text() for part in Path(tmp_path).rglob("part-*")]
    shown = "".join(traceback.format_exception(ran.error))
    nothing_of_it_in(ran.log, shown, repr(ran.error), json.dumps(ti.pushed), repr(operator), *rejects)
    assert "urllib3" in ran.log or "POST /v5" in ran.log or fault[0] == "reset", "its DEBUG records were seen"
    for part in Path(tmp_path).rglob("part-*"):
        assert stat.S_IMODE(part.stat().st_mode) == 0o600


def test_the_log_of_a_call_at_debug_holds_neither_header_nor_body():
    with logged() as log, serving() as wire, client(wire.url, token=TOKEN) as pinterest:
        logging.getLogger("urllib3").setLevel(logging.DEBUG)
        pinterest.post(EMAIL.encode(), 1)

    assert "POST /v5/ad_accounts" in log.getvalue()
    nothing_of_it_in(log.getvalue())


def test_the_examples_in_the_log_name_rows_and_codes_only(pinterest):
    ran = run(
        SendConversionsOperator(task_id="send", events=[row(1, **{**PERSON, "currency": EMAIL})], max_rejected=1.0)
    )

    assert re.search(r"Row 1\b.*bad_currency", ran.log)
    nothing_of_it_in(ran.log)
