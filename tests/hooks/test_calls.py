"""One call on the wire: headers, kept connections, time-outs."""

import gzip
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import airflow_provider_pinterest
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.events_endpoint import PerEventResults
from airflow_provider_pinterest.api.responses import AccessDenied, OutcomeUnknown, Unavailable
from airflow_provider_pinterest.exceptions import CredentialError, UnavailableError
from airflow_provider_pinterest.redaction import Secret
from harness.scripted_server import PROCESSED, ScriptedReply, full_backlog, nobody_listening, serving
from tests.api.wire import ACCOUNT, OneAccount
from tests.running import deliver, ids, rows

PROCESSED_TEN = b'{"events":[%b]}' % b",".join([b'{"status":"processed"}'] * 10)
BODY = b'{"data":[{}]}'
SOON = (0.2, 0.2, 0.4)
"""Small time-outs: to connect, to receive something, for the whole call."""


@pytest.fixture
def client():
    """Make clients with small time-outs, and close them."""
    made = []

    def make(url, timeouts=(2.0, 2.0, 4.0), **options):
        credential = Credential(Tokens(Secret("pina_secret")))
        made.append(OneAccount(url, credential, timeouts=timeouts, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_call_names_the_package_and_its_version(pinterest):
    assert deliver(events=rows(1)).error is None

    [call] = pinterest.calls()
    assert call.user_agent == f"airflow-provider-pinterest/{airflow_provider_pinterest.__version__}"


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_connections_are_made_than_batches_may_be_under_way(connect, most):
    with serving(ScriptedReply(200, PROCESSED_TEN)) as listener:
        connect(host=listener.url, password="pina_x", extra={"ad_account_id": "1"})

        assert deliver(events=rows(100), batch_size=10, max_in_flight=most).error is None

    assert len(listener.requests) == 10
    assert 1 <= listener.connections <= most


@pytest.mark.parametrize("status", [200, 400, 401, 404, 422, 429, 500, 503])
def test_a_connection_is_kept_whatever_the_answer(client, status):
    with serving(ScriptedReply(status)) as listener:
        one = client(listener.url)
        for _ in range(3):
            one.post(BODY, 1)

    assert listener.connections == 1


def test_a_connection_that_the_server_closed_is_replaced(client):
    with serving(ScriptedReply(headers={"Connection": "close"})) as listener:
        one = client(listener.url)

        assert all(isinstance(one.post(BODY, 1), PerEventResults) for _ in range(2))
    assert listener.connections == 2


def test_threads_have_a_connection_each_and_keep_it(client):
    with serving() as listener:
        one = client(listener.url, connections=4)
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: one.post(BODY, 1), range(40)))

    assert all(isinstance(answer, PerEventResults) for answer in answers)
    assert 1 <= listener.connections <= 4


def test_the_token_travels_in_its_header_alone(client):
    with serving() as listener:
        client(listener.url).post(BODY, 1)

    [request] = listener.requests
    assert request.headers["Authorization"] == "Bearer pina_secret"
    assert "pina_secret" not in request.path
    assert b"pina_secret" not in request.body


def test_test_mode_is_a_parameter_of_the_address(client):
    with serving() as listener:
        client(listener.url, test=True).post(BODY, 1)
        client(listener.url).post(BODY, 1)

    assert [request.path for request in listener.requests] == [
        f"/v5/ad_accounts/{ACCOUNT}/events?test=true",
        f"/v5/ad_accounts/{ACCOUNT}/events",
    ]


def test_a_compressed_answer_is_read(client):
    with serving(ScriptedReply(body=gzip.compress(PROCESSED), headers={"Content-Encoding": "gzip"})) as listener:
        assert isinstance(client(listener.url).post(BODY, 1), PerEventResults)


def test_a_netrc_file_plays_no_part(client, tmp_path, monkeypatch):
    """``requests`` would put its password in place of the token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving() as listener:
        client(listener.url).post(BODY, 1)

    assert listener.requests[0].headers["Authorization"] == "Bearer pina_secret"


def test_a_server_that_accepts_and_says_nothing_is_with_unknown_outcome_after_the_read_time_out(client):
    with serving(ScriptedReply(pause=0)) as listener:
        answer = client(listener.url, SOON).post(BODY, 1)

    assert isinstance(answer, OutcomeUnknown)
    assert "pina_secret" not in repr(answer)


def test_a_server_that_drips_ends_within_the_total_time_out(pinterest, client):
    """Each byte comes within the read time-out, so that only the total ends it."""
    pinterest.fault("drip", seconds=0.02)
    body = b'{"data":[{"event_name":"checkout","action_source":"web","event_time":1763766000,"event_id":"1",'
    body += b'"user_data":{"client_ip_address":"203.0.113.1","client_user_agent":"x"}}]}'
    one = OneAccount(pinterest.url, Credential(Tokens(Secret(pinterest.token))), timeouts=SOON)
    started = time.monotonic()

    answer = one.post(body, 1)
    one.close()

    assert isinstance(answer, OutcomeUnknown)
    assert "0.4 seconds" in answer.trace.message
    assert time.monotonic() - started < 1.5
    assert pinterest.copies() == {"1": 1}


def test_a_call_after_one_that_was_cut_off_finds_a_new_connection(pinterest, client):
    pinterest.fault("drip", seconds=0.05, times=1)
    one = OneAccount(pinterest.url, Credential(Tokens(Secret(pinterest.token))), timeouts=SOON)

    first, second = one.post(BODY, 1), one.post(BODY, 1)
    one.close()

    assert isinstance(first, OutcomeUnknown)
    assert not isinstance(second, OutcomeUnknown)


def test_a_port_that_nobody_listens_on_was_sent_nothing(client):
    with nobody_listening() as url:
        answer = client(url).post(BODY, 1)

    assert isinstance(answer, Unavailable)
    assert "connection refused" in answer.trace.message


def test_a_connection_that_is_not_taken_ends_after_the_connect_time_out(client):
    with full_backlog() as url:
        started = time.monotonic()
        answer = client(url, SOON).post(BODY, 1)

    assert isinstance(answer, (Unavailable, OutcomeUnknown))
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("kind", ["drop", "reset"])
def test_a_connection_that_breaks_has_an_unknown_outcome(pinterest, client, kind):
    pinterest.fault(kind)
    one = OneAccount(pinterest.url, Credential(Tokens(Secret(pinterest.token))))

    assert isinstance(one.post(BODY, 1), OutcomeUnknown)
    one.close()


def test_a_redirect_is_never_followed(client):
    with (
        serving() as elsewhere,
        serving(ScriptedReply(302, headers={"Location": f"{elsewhere.url}/x"})) as listener,
    ):
        answer = client(listener.url).post(BODY, 1)

    assert isinstance(answer, AccessDenied)
    assert elsewhere.requests == []


def test_an_error_carries_what_pinterest_s_support_asks_for(pinterest):
    pinterest.fault("status", status=403)

    error = deliver(events=rows(1)).error

    assert isinstance(error, CredentialError)
    [call] = pinterest.calls()
    assert (error.status, error.code, error.request_id) == (403, 29, call.rid)
    assert call.rid in str(error)


def test_a_wait_longer_than_the_task_s_patience_is_handed_back_with_its_length(pinterest):
    """Seen in the wild: 18.6 hours."""
    pinterest.fault("status", status=429, headers={"X-RateLimit-Reset": "67150"})

    ran = deliver(events=rows(3))

    assert isinstance(ran.error, UnavailableError)
    assert (ran.error.status, ran.error.code) == (429, 8)
    assert ran.error.retry_after == 67150
    assert "67150 seconds" in ran.said
    assert len(pinterest.calls()) == 1
    assert ran["rows_not_sent"] == 3


def test_nothing_is_logged_or_raised_that_shows_the_token_when_the_connection_breaks(pinterest):
    """``deliver`` looks at the log and at the error."""
    pinterest.fault("reset", times=1)

    assert deliver(events=rows(2)).error is None
    assert pinterest.copies() == ids(2)
