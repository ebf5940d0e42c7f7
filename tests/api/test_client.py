"""One call over real sockets: what was never sent, what may have arrived, and how a stop ends it."""

import gzip
import os
import resource
import socket
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from airflow_provider_pinterest.api import connections
from airflow_provider_pinterest.api.events_endpoint import PerEventResults
from airflow_provider_pinterest.api.rate_limit import RateLimiter, Stopped
from airflow_provider_pinterest.api.responses import Misconfigured, OutcomeUnknown, Unavailable
from airflow_provider_pinterest.exceptions import ConfigurationError, UnavailableError
from airflow_provider_pinterest.redaction import Secret
from harness.certificates import certificate
from harness.scripted_server import (
    BROKEN,
    ScriptedReply,
    accepts_and_says_nothing,
    accepts_once,
    full_backlog,
    nobody_listening,
    pours,
    proxying,
    says_nothing,
    serving,
)
from tests.api.wire import client
from tests.waiting import until

HOST = "api.example.com"
BODY = b'{"data":[{}]}'


class Begin:
    """Counts its calls; raises what it is told to."""

    def __init__(self, error=None):
        self.calls = 0
        self.error = error

    def __call__(self):
        self.calls += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def begin():
    return Begin()


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """Return a TLS server's context that clients trust."""
    context, bundle = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    return context


# ---- a connection of its own ----


def closes_when_idle(wire, connection):
    accepts_once(wire, connection)
    wire.over.wait(0.005)


@pytest.mark.parametrize("handler", [accepts_once, closes_when_idle], ids=["after its answer", "when idle"])
def test_fresh_calls_are_never_with_unknown_outcome_where_the_server_closes_kept_connections(handler):
    with serving(handler) as wire, client(wire.url) as pinterest:
        for number in range(60):
            time.sleep(0.001 * (number % 10))
            assert isinstance(pinterest.post(BODY, 1, fresh=True), PerEventResults)

    assert len(wire.bodies) == 60


def test_a_fresh_call_has_a_connection_of_its_own():
    with serving() as listener, client(listener.url) as pinterest:
        for fresh in (False, True, True, False):
            pinterest.post(BODY, 1, fresh=fresh)

    ports = [request.client for request in listener.requests]
    assert ports[0] == ports[3]
    assert len(set(ports)) == 3
    assert [request.headers.get("Connection") for request in listener.requests] == [None, "close", "close", None]


def test_a_connection_that_was_idle_for_long_is_replaced(monkeypatch):
    with serving() as listener, client(listener.url) as pinterest:
        pinterest.post(BODY, 1)
        monkeypatch.setattr(connections, "LONGEST_IDLE", 0.0)
        pinterest.post(BODY, 1)

    assert listener.connections == 2


@pytest.mark.parametrize("status", [408, 421])
def test_a_connection_that_the_server_finds_wrong_is_replaced(status):
    with serving(ScriptedReply(status), ScriptedReply()) as listener, client(listener.url) as pinterest:
        pinterest.post(BODY, 1)
        pinterest.post(BODY, 1)

    assert listener.connections == 2


def test_certificates_are_loaded_once_for_a_client(tls, monkeypatch):
    with serving(tls=tls) as wire, client(wire.url) as pinterest:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")

        assert isinstance(pinterest.post(BODY, 1, fresh=True), PerEventResults)
        assert isinstance(pinterest.post(BODY, 1, fresh=True), PerEventResults)


# ---- begin ----


@pytest.mark.parametrize("fresh", [False, True])
def test_begin_is_called_once_a_call(begin, fresh):
    with (
        serving(ScriptedReply(500), ScriptedReply(401), ScriptedReply()) as listener,
        client(listener.url) as pinterest,
    ):
        for count in (1, 2, 3):
            pinterest.post(BODY, 1, fresh=fresh, begin=begin)
            assert begin.calls == count


@pytest.mark.parametrize("error", [Stopped(), OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("kept", [False, True])
def test_nothing_is_written_when_begin_raises(error, kept):
    with serving(says_nothing) as wire, serving() as listener:
        url = listener.url if kept else wire.url
        with client(url) as pinterest:
            if kept:
                pinterest.post(BODY, 1)
            with pytest.raises(type(error)) as raised:
                pinterest.post(BODY, 1, begin=Begin(error))

            assert raised.value is error
            assert wire.heads == []
            assert len(listener.requests) == kept


def test_begin_comes_after_the_handshake(begin, tls):
    with serving(tls=tls) as wire, client(wire.url) as pinterest:
        assert isinstance(pinterest.post(BODY, 1, begin=begin), PerEventResults)
    assert begin.calls == 1

    with (
        accepts_and_says_nothing() as port,
        client(f"https://localhost:{port}/v5", timeouts=(0.2, 5.0, 10.0)) as pinterest,
    ):
        answer = pinterest.post(BODY, 1, begin=begin)

    assert isinstance(answer, Unavailable)
    assert answer.trace.message == "timed out"
    assert answer.trace.host == f"localhost:{port}"
    assert begin.calls == 1


@pytest.mark.parametrize("how", ["hangs up", "resets", "half a body", "another protocol"])
def test_what_breaks_after_begin_has_an_unknown_outcome(begin, how):
    with serving(BROKEN[how]) as wire, client(wire.url) as pinterest:
        answer = pinterest.post(BODY, 1, begin=begin)

    assert isinstance(answer, OutcomeUnknown)
    assert begin.calls == 1


# ---- before begin ----


def test_a_refused_connection_was_sent_nothing(begin):
    with nobody_listening() as url, client(url) as pinterest:
        answer = pinterest.post(BODY, 1, begin=begin)

    assert answer == Unavailable(answer.trace)
    assert answer.trace.reason == "connection refused"
    assert url.startswith(f"http://{answer.trace.host}/")
    assert begin.calls == 0


def test_a_name_that_is_not_found_was_sent_nothing(begin, monkeypatch):

    def fails(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    with client(f"https://{HOST}/v5") as pinterest:
        monkeypatch.setattr(socket, "getaddrinfo", fails)
        answer = pinterest.post(BODY, 1, begin=begin)

    assert isinstance(answer, Unavailable)
    assert answer.trace.reason == "DNS lookup failed"
    assert answer.trace.host == f"{HOST}:443"
    assert begin.calls == 0


def test_without_free_file_descriptors_nothing_is_sent_and_a_retry_may_help(begin):
    with serving() as listener, client(listener.url) as pinterest:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        spare = os.dup(0)
        os.close(spare)
        filling = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 1, hard))
        try:
            with suppress(OSError):
                while True:
                    filling.append(os.dup(0))
            answer = pinterest.post(BODY, 1, begin=begin)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for one in filling:
                os.close(one)
        again = pinterest.post(BODY, 1, begin=begin)

    assert isinstance(answer, Unavailable)
    assert answer.trace.reason == "too many open files in this process"
    assert isinstance(again, PerEventResults)
    assert begin.calls == 1


@pytest.mark.parametrize("kept", [False, True])
def test_where_no_thread_can_be_started_the_call_fails(begin, kept, monkeypatch):
    with serving() as listener, client(listener.url) as pinterest:
        if kept:
            pinterest.post(BODY, 1)
            monkeypatch.setattr(pinterest.client._watchdog, "_running", False)

        def refuses(_):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuses)
        with pytest.raises(UnavailableError, match="thread"):
            pinterest.post(BODY, 1, begin=begin)
        monkeypatch.undo()

        assert len(listener.requests) == kept
        assert begin.calls == 0


# ---- a stop ----


@contextmanager
def stopping(pinterest, begin, **options):
    """Make a call in a thread; yield its future, and check that an abort ends it soon."""
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(pinterest.post, BODY, 1, begin=begin, **options)
        yield call
        time.sleep(0.1)
        assert not call.done()
        started = time.monotonic()
        pinterest.abort()
        assert time.monotonic() - started < 0.2
        with suppress(Stopped):
            call.result(timeout=5)
        assert time.monotonic() - started < 2


def stopped(pinterest, begin):
    """Make a call that only an abort ends, and return its future."""
    with stopping(pinterest, begin) as call:
        return call


def test_a_stop_ends_an_attempt_to_connect(begin):
    with full_backlog() as url, client(url, timeouts=(10.0, 60.0, 120.0)) as pinterest:
        assert isinstance(stopped(pinterest, begin).exception(), Stopped)
    assert begin.calls == 0


def test_a_stop_ends_a_handshake(begin):
    with (
        accepts_and_says_nothing() as port,
        client(f"https://localhost:{port}/v5", timeouts=(10.0, 60.0, 120.0)) as pinterest,
    ):
        assert isinstance(stopped(pinterest, begin).exception(), Stopped)
    assert begin.calls == 0


def test_a_stop_ends_a_tunnel_that_the_proxy_does_not_open(begin, monkeypatch):
    with proxying(b"") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with client(f"https://{HOST}/v5", timeouts=(10.0, 60.0, 120.0)) as pinterest:
            assert isinstance(stopped(pinterest, begin).exception(), Stopped)
    assert begin.calls == 0


def test_a_stop_leaves_a_name_lookup_and_nothing_is_written_when_it_ends(monkeypatch):
    begin, looking, found = Begin(), threading.Event(), threading.Event()
    lookup = socket.getaddrinfo

    def slow(*arguments, **options):
        looking.set()
        found.wait(10)
        return lookup(*arguments, **options)

    with serving() as listener, client(listener.url, timeouts=(10.0, 60.0, 120.0)) as pinterest:
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        with stopping(pinterest, begin) as call:
            assert looking.wait(5)
        before = threading.active_count()
        found.set()
        deadline = time.monotonic() + 5
        while threading.active_count() >= before and time.monotonic() < deadline:
            time.sleep(0.005)

        assert isinstance(call.exception(), Stopped)
        assert listener.requests == []
    assert begin.calls == 0


@pytest.mark.parametrize("secured", [False, True])
def test_a_stop_cuts_a_call_under_way_which_has_an_unknown_outcome(begin, secured, tls):
    with (
        serving(says_nothing, tls=tls if secured else None) as wire,
        client(wire.url, timeouts=(10.0, 60.0, 120.0)) as pinterest,
    ):
        answer = stopped(pinterest, begin).result()

        assert isinstance(answer, OutcomeUnknown)
        assert "stopped" in answer.trace.message
    assert begin.calls == 1


def test_after_a_stop_no_call_is_made(begin):
    with serving() as listener, client(listener.url) as pinterest:
        pinterest.post(BODY, 1)
        pinterest.abort()
        with pytest.raises(Stopped):
            pinterest.post(BODY, 1, begin=begin)
        with pytest.raises(Stopped):
            pinterest.post(BODY, 1, fresh=True, begin=begin)

        assert len(listener.requests) == 1
    assert begin.calls == 0


def test_a_stop_ends_the_wait_for_a_rate_store_that_accepts_and_never_answers():
    pytest.importorskip("redis")
    with accepts_and_says_nothing() as port, ThreadPoolExecutor(8) as threads:
        pace = RateLimiter("stop", uri=Secret(f"redis://127.0.0.1:{port}/0"))
        waiting = [threads.submit(pace.wait) for _ in range(8)]
        time.sleep(0.1)
        assert not any(one.done() for one in waiting)
        started = time.monotonic()
        pace.stop.set()

        assert all(isinstance(one.exception(timeout=5), Stopped) for one in waiting)
        assert time.monotonic() - started < 2


# ---- deadlines ----


def test_one_thread_watches_over_all_calls():
    def watching():
        return {one for one in threading.enumerate() if one.name == "pinterest-watchdog"}

    before = watching()
    with (
        serving(says_nothing) as wire,
        client(wire.url, connections=8, timeouts=(2.0, 5.0, 0.3)) as pinterest,
        ThreadPoolExecutor(8) as threads,
    ):
        calls = [threads.submit(pinterest.post, BODY, 1) for _ in range(8)]
        until(lambda: len(wire.bodies) >= 8)
        [thread] = watching() - before
        answers = [call.result(timeout=5) for call in calls]

    assert all(isinstance(answer, OutcomeUnknown) for answer in answers)
    assert all("within 0.3 seconds" in answer.trace.message for answer in answers)
    thread.join(5)
    assert not thread.is_alive(), "it ends when the client is closed"


def test_a_later_call_of_the_same_client_is_watched_too():
    with (
        serving(accepts_once, accepts_once, says_nothing) as wire,
        client(wire.url, timeouts=(2.0, 5.0, 0.2)) as pinterest,
    ):
        answers = [pinterest.post(BODY, 1, fresh=True) for _ in range(3)]

    assert [type(answer) for answer in answers] == [PerEventResults, PerEventResults, OutcomeUnknown]


# ---- the answer ----


def test_cookies_are_neither_kept_nor_sent():
    cookies = {"Set-Cookie": "visitor=" + "x" * 200}
    with serving(ScriptedReply(headers=cookies)) as listener, client(listener.url) as pinterest:
        for fresh in (False, False, True):
            pinterest.post(BODY, 1, fresh=fresh)

    assert not [request for request in listener.requests if "Cookie" in request.headers]


def test_an_answer_is_asked_for_uncompressed():
    with serving() as listener, client(listener.url) as pinterest:
        pinterest.post(BODY, 1)

    assert listener.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_answer_cannot_fill_the_memory(encoding):
    bomb = gzip.compress(b" " * 60_000_000, 1)
    with (
        serving(ScriptedReply(body=bomb, headers={"Content-Encoding": encoding})) as listener,
        client(listener.url) as pinterest,
    ):
        tracemalloc.start()
        try:
            answer = pinterest.post(BODY, 1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert isinstance(answer, OutcomeUnknown)
    assert peak < 30_000_000


def test_an_answer_without_end_is_not_read_to_its_end():
    with serving(pours) as wire, client(wire.url) as pinterest:
        assert isinstance(pinterest.post(BODY, 1), OutcomeUnknown)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_an_answer_in_an_encoding_that_was_not_asked_for_is_no_success(encoding):
    with (
        serving(ScriptedReply(headers={"Content-Encoding": encoding})) as listener,
        client(listener.url) as pinterest,
    ):
        assert isinstance(pinterest.post(BODY, 1), OutcomeUnknown)


# ---- the environment ----


PROXY_VARIABLES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]


@pytest.mark.parametrize("variable", PROXY_VARIABLES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_never_reached_through_a_proxy(variable, host, monkeypatch):
    with proxying(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy, serving() as listener:
        monkeypatch.setenv(variable, proxy.url)
        with client(listener.url.replace("127.0.0.1", host)) as pinterest:
            assert isinstance(pinterest.post(BODY, 1), PerEventResults)

        assert proxy.heads == []


@pytest.mark.parametrize("fresh", [False, True])
def test_the_environment_s_proxy_opens_a_tunnel(begin, fresh, tmp_path, monkeypatch):
    """The token and the events go to the host alone; the proxy sees its own password and the host's name."""
    context, bundle = certificate(tmp_path, HOST)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with serving(tls=context) as wire:
        port = int(wire.url.rpartition(":")[2].partition("/")[0])
        with proxying(port=port) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//someone:p%40ss@"))
            with client(f"https://{HOST}/v5", token="pina_secret") as pinterest:
                answer = pinterest.post(BODY, 1, fresh=fresh, begin=begin)

    assert isinstance(answer, PerEventResults)
    assert wire.bodies == [BODY]
    assert f"Host: {HOST}\r\n".encode() in wire.heads[0]
    assert proxy.heads[0].startswith(f"CONNECT {HOST}:443 ".encode())
    assert b"Proxy-Authorization: Basic c29tZW9uZTpwQHNz\r\n" in proxy.heads[0]
    assert b"pina_secret" not in proxy.heads[0]
    assert b"Proxy-Authorization" not in wire.heads[0]
    assert begin.calls == 1


def test_no_proxy_is_respected(monkeypatch):
    with proxying(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "example.com")
        with client(f"https://{HOST}/v5") as pinterest:
            assert pinterest.client._route.proxy is None
        with client("https://api.example.org/v5") as pinterest:
            assert pinterest.client._route.proxy is not None


DENIED = {407: "user and password", 403: "NO_PROXY", 405: "NO_PROXY"}


@pytest.mark.parametrize(("status", "words"), DENIED.items())
def test_a_proxy_that_refuses_the_tunnel_stops_the_run(begin, status, words, monkeypatch):
    with proxying(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//someone:p4ss@"))
        with client(f"https://{HOST}/v5") as pinterest:
            answer = pinterest.post(BODY, 1, begin=begin)

    assert isinstance(answer, Misconfigured)
    assert words in f"{answer.trace.message} {answer.trace.advice}"
    assert f"HTTP {status}" in answer.trace.message
    assert "p4ss" not in answer.trace.message
    assert begin.calls == 0


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_proxy_that_cannot_reach_the_host_now_is_tried_again(begin, status, monkeypatch):
    with proxying(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with client(f"https://{HOST}/v5") as pinterest:
            answer = pinterest.post(BODY, 1, begin=begin)

    assert isinstance(answer, Unavailable)
    assert answer.trace.message.startswith(f"the proxy answered HTTP {status}, through the proxy 127.0.0.1:")
    assert begin.calls == 0


def test_a_proxy_that_nobody_listens_on_was_sent_nothing(begin, monkeypatch):
    with nobody_listening() as url:
        monkeypatch.setenv("HTTPS_PROXY", url.removesuffix("/v5"))
        with client(f"https://{HOST}/v5") as pinterest:
            answer = pinterest.post(BODY, 1, begin=begin)

    assert isinstance(answer, Unavailable)
    assert "connection refused, through the proxy 127.0.0.1:" in answer.trace.message
    assert begin.calls == 0


def test_a_certificate_of_another_host_stops_the_run(begin, tls):
    with serving(tls=tls) as wire:
        with client(wire.url.replace("localhost", "127.0.0.1")) as pinterest:
            answer = pinterest.post(BODY, 1, begin=begin)

        assert wire.heads == []
    assert isinstance(answer, Misconfigured)
    assert "certificate is not valid for" in answer.trace.message
    assert os.environ["REQUESTS_CA_BUNDLE"] in answer.trace.advice
    assert begin.calls == 0


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_that_is_missing_is_named_with_its_variable(variable, monkeypatch, tmp_path):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "missing.pem"))

    with (
        pytest.raises(ConfigurationError, match=rf"missing.pem .*No such file.*\n.* {variable}"),
        client(f"https://{HOST}/v5"),
    ):
        pass


def test_a_ca_bundle_without_certificates_is_named(monkeypatch, tmp_path):
    bundle = tmp_path / "empty.pem"
    bundle.write_text("not a certificate\n")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    with pytest.raises(ConfigurationError, match=r"empty.pem .*no certificates"), client(f"https://{HOST}/v5"):
        pass


def test_a_ca_bundle_plays_no_part_over_plain_http_to_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with serving() as listener, client(listener.url) as pinterest:
        assert isinstance(pinterest.post(BODY, 1), PerEventResults)


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
def test_a_socks_proxy_without_its_library_is_said_to(scheme, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://someone:p4ss@proxy.example.com:1080")

    with pytest.raises(ConfigurationError, match=r"requests\[socks\]") as raised, client(f"https://{HOST}/v5"):
        pass

    assert "proxy.example.com:1080" in str(raised.value)
    assert "p4ss" not in str(raised.value)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://",
        "http://someone:p4ss@:3128",
        "http://someone:p4ss@proxy.example.com:port",
        "http://someone:p4ss@proxy.example.com:99999",
        "http://someone:p4ss@proxy.example.com:0",
        "ftp://someone:p4ss@proxy.example.com:21",
        "http://someone:p4ss@[::1",
        "socks9://someone:p4ss@proxy.example.com:1080",
    ],
)
def test_a_proxy_that_cannot_work_is_refused_without_its_password(proxy, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    with (
        pytest.raises(ConfigurationError, match=r"not a valid URL.*\n.*HTTPS_PROXY") as raised,
        client(f"https://{HOST}/v5"),
    ):
        pass

    assert "p4ss" not in str(raised.value)


def test_a_proxy_without_a_scheme_is_http(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example.com:3128")
    with client(f"https://{HOST}/v5") as pinterest:
        proxy = pinterest.client._route.proxy

    assert proxy is not None
    assert (proxy.url.scheme, proxy.address) == ("http", "proxy.example.com:3128")
