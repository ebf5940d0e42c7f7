"""Which requests the local Pinterest answers: no foreign name, and no foreign web page."""

import http.client
import json
import socket
import subprocess
import sys

import pytest

from airflow_provider_pinterest.sandbox import Sandbox

PATHS = [("GET", "/"), ("GET", "/sandbox/events"), ("POST", "/sandbox/faults"), ("DELETE", "/sandbox/events")]


@pytest.fixture(scope="module")
def shared():
    """One server for all requests that change nothing."""
    with Sandbox() as running:
        yield running


def call(port, method, path, headers, *, body=None, target=None, address="127.0.0.1"):
    """Send a request with just these headers; return status, headers and body."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.putrequest(method, target or path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.format(port=port))
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def ask(port, *hosts, headers=(), **options):
    """Ask whether it is well, calling it by these names."""
    named = [("Host", host) for host in hosts]
    return call(port, "GET", "/sandbox/health", [*named, *headers], **options)[0]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:",
        "127.9.9.9:80",
        "localhost:{port}",
        "localhost",
        "LOCALHOST:{port}",
        "LocalHost",
        "localhost.:{port}",
        "[::1]:{port}",
        "[::1]",
        "[0:0:0:0:0:0:0:1]:{port}",
        "[::ffff:127.0.0.1]:{port}",
    ],
)
def test_this_machine_s_own_names_are_answered(shared, host):
    """With any port: the port that a client sees may be a forwarded one."""
    assert ask(shared.port, host) == 200


FOREIGN = [
    "evil.example.com",
    "evil.example.com:{port}",
    "EVIL.example.com.",
    "localhost.example.com",
    "127.0.0.1.example.com:{port}",
    "example.com.localhost.example.com",
    "notlocalhost",
    "localhost..",
    ".localhost",
    "127.0.0.1@evil.example.com",
    "evil.example.com@127.0.0.1",
    "user:word@localhost",
    "127.0.0.1:{port}@evil.example.com",
    "127.0.0.1:{port}:80",
    "127.0.0.1:evil",
    "127.0.0.1:-1",
    "127.0.0.1 evil.example.com",
    "127.0.0.1,evil.example.com",
    "127.0.0.1/evil.example.com",
    "localhost\\evil.example.com",
    "localhost#evil.example.com",
    "http://127.0.0.1",
    "[127.0.0.1]",
    "[::1]evil.example.com",
    "[::1",
    "::1",
    "[::2]",
    "[]",
    "192.0.2.1",
    "0.0.0.0:{port}",
    "2130706433",
    "0x7f.1",
    "127.1",
    "",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_any_other_name_is_refused(shared, host):
    """A foreign name that resolves to this machine is the mark of DNS rebinding."""
    assert ask(shared.port, host) in {400, 403}


@pytest.mark.parametrize(("method", "path"), [*PATHS, ("POST", "/v5/ad_accounts/1/events"), ("GET", "/nowhere")])
def test_every_path_is_guarded(shared, method, path):
    """The refusal has the shape of the sandbox's own errors, says what to do, and opens nothing to other origins."""
    calls = shared.totals().calls
    status, headers, body = call(shared.port, method, path, [("Host", "pinterest:8765")], body=b"{}")
    assert status == 403
    assert headers["content-type"].startswith("application/json")
    assert json.loads(body).keys() == {"code", "message"}
    assert json.loads(body)["code"] == 403
    assert "--allow-host pinterest," in json.loads(body)["message"]
    assert not [name for name in headers if name.startswith("access-control")]
    assert shared.totals().calls == calls


def test_a_request_names_one_host(shared):
    """Without a Host header, or with two, nothing is answered."""
    assert ask(shared.port) in {400, 403}
    assert ask(shared.port, "localhost", "evil.example.com") in {400, 403}
    assert ask(shared.port, "evil.example.com", "localhost") in {400, 403}


def test_a_request_of_http_1_0_needs_a_host_too(shared):
    with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as connection:
        connection.sendall(b"GET /sandbox/health HTTP/1.0\r\n\r\n")
        assert b" 403 " in connection.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://evil.example.com/sandbox/health", 403),
        ("http://evil.example.com?/sandbox/health", 403),
        ("http://localhost@evil.example.com/sandbox/health", 403),
        ("http://localhost:{port}/sandbox/health", 200),
    ],
)
def test_a_host_in_the_request_line_counts_too(shared, target, status):
    assert ask(shared.port, "localhost", target=target.format(port=shared.port)) == status


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}"),
        ("localhost:{port}", "http://localhost:{port}"),
        ("LOCALHOST:{port}", "http://localhost:{port}"),
        ("[::1]:{port}", "http://[::1]:{port}"),
        ("localhost", "http://localhost"),
        ("localhost", "http://localhost:80"),
        ("localhost:443", "https://localhost"),
    ],
)
def test_its_own_pages_may_send_requests(shared, host, origin):
    headers = [("Origin", origin), ("Sec-Fetch-Site", "same-origin")]
    assert ask(shared.port, host, headers=headers) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example.com",
        "https://evil.example.com",
        "http://localhost:{port}",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://127.0.0.1",
        "https://127.0.0.1:{port}.example.com",
        "http://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}@evil.example.com",
        "http://evil.example.com@127.0.0.1:{port}",
        "ftp://127.0.0.1:{port}",
        "file://",
        "127.0.0.1:{port}",
        "chrome-extension://abcdefgh",
    ],
)
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_other_pages_may_not(pinterest, origin, content_type):
    """A page in a browser can post text or a form to any address: it is told by its Origin."""
    host = ("Host", "127.0.0.1:{port}")
    headers = [host, ("Origin", origin), ("Content-Type", content_type)]
    fault = json.dumps({"kind": "status"}).encode()
    for path in ("/sandbox/faults", "/v5/ad_accounts/1/events"):
        assert call(pinterest.port, "POST", path, headers, body=fault)[0] == 403
    faults = call(pinterest.port, "GET", "/sandbox/faults", [host])[2]
    assert json.loads(faults) == {"faults": []}
    assert pinterest.totals().calls == 0


def test_two_origins_are_not_its_own(shared):
    both = [("Origin", "http://127.0.0.1:{port}"), ("Origin", "http://evil.example.com")]
    for origins in (both, both[::-1]):
        assert ask(shared.port, "127.0.0.1:{port}", headers=origins) == 403


@pytest.mark.parametrize(
    ("site", "status"),
    [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403), ("Cross-Site", 403), ("x", 403)],
)
def test_a_browser_tells_which_site_asks(shared, site, status):
    assert ask(shared.port, "127.0.0.1", headers=[("Sec-Fetch-Site", site)]) == status


def test_a_followed_link_is_answered(shared):
    """The links of the documentation work, and nothing but a whole page that is looked at."""
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    host = ("Host", "127.0.0.1")
    assert call(shared.port, "GET", "/", [host, *link])[0] == 200
    assert call(shared.port, "POST", "/sandbox/faults", [host, *link], body=b"{}")[0] == 403
    assert call(shared.port, "DELETE", "/sandbox/events", [host, *link])[0] == 403
    frame = [*link[:2], ("Sec-Fetch-Dest", "iframe")]
    assert call(shared.port, "GET", "/", [host, *frame])[0] == 403
    assert call(shared.port, "GET", "/", [host, *link, ("Origin", "http://evil.example.com")])[0] == 403


def test_a_preflight_allows_nothing(shared):
    asked = [
        ("Host", "127.0.0.1:{port}"),
        ("Origin", "https://evil.example.com"),
        ("Access-Control-Request-Method", "DELETE"),
        ("Access-Control-Request-Private-Network", "true"),
    ]
    status, headers, _ = call(shared.port, "OPTIONS", "/sandbox/events", asked)
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]


def test_other_names_can_be_allowed():
    """By ``allow_hosts``, and the address that it listens on is one of them."""
    names = ["Pinterest", "my_sandbox.example.com.", "192.0.2.7", "2001:db8::1"]
    with Sandbox(host="0.0.0.0", allow_hosts=names) as it:  # noqa: S104
        for host in (
            "pinterest",
            "PINTEREST.:{port}",
            "pinterest:8765",
            "my_sandbox.example.com",
            "192.0.2.7:80",
            "[2001:db8:0::1]",
            "0.0.0.0:{port}",
            "127.0.0.1",
        ):
            assert ask(it.port, host) == 200, host
        for host in ("pinterest.example.com", "example.com", "192.0.2.8", "[2001:db8::2]", "my-sandbox.example.com"):
            assert ask(it.port, host) == 403, host
        origin = [("Origin", "http://pinterest:8765")]
        assert ask(it.port, "pinterest:8765", headers=origin) == 200
        assert ask(it.port, "127.0.0.1:8765", headers=origin) == 403


@pytest.mark.parametrize("name", ["", "http://pinterest", "pinterest:8765", "a b", "*", "a..b", "user@pinterest"])
def test_a_name_to_allow_is_a_name(name):
    with pytest.raises(ValueError, match="is not a host name or an address"):
        Sandbox(allow_hosts=[name])


def test_the_command_allows_other_names(tmp_path):
    file = tmp_path / "port"
    options = ("--port", "0", "--port-file", file, "--allow-host", "pinterest", "--allow-host", "other")
    command = [sys.executable, "-m", "airflow_provider_pinterest.sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        port = int(file.read_text())
        statuses = [ask(port, host) for host in ("pinterest:8765", "other", "third")]
        process.terminate()
    assert statuses == [200, 200, 403]
