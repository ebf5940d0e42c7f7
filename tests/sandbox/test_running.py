"""How the local Pinterest is started and stopped, and what it leans on."""

import ast
import json
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

import airflow_provider_pinterest.sandbox as package
from airflow_provider_pinterest.sandbox import Sandbox
from tests.waiting import until

REPOSITORY = Path(package.__file__).parents[2]
COMMAND = (sys.executable, "-W", "error", "-m", "airflow_provider_pinterest.sandbox")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sorted(Path(package.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_the_sandbox_leans_on_nothing_it_judges(path):
    """Its modules import each other, the standard library and the packages of the extra: nothing else."""
    for name in imported(path):
        root = name.split(".")[0]
        ours = name.startswith("airflow_provider_pinterest.sandbox")
        assert ours or root in {"aiohttp", "jsonschema_rs", "orjson"} or root in sys.stdlib_module_names, name


def test_airflow_is_not_needed():
    """Serving imports neither Airflow nor requests."""
    code = (
        "import sys; from airflow_provider_pinterest.sandbox import Sandbox\n"
        "with Sandbox(): pass\n"
        "assert not {'airflow', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=REPOSITORY, timeout=20)


@pytest.mark.parametrize("missing", ["aiohttp", "jsonschema_rs"])
def test_without_the_extra_one_line_says_what_to_install(missing):
    """The command ends with one line that names the extra."""
    code = (
        f"import runpy, sys; sys.modules[{missing!r}] = None; sys.argv = ['sandbox']\n"
        "runpy.run_module('airflow_provider_pinterest.sandbox', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, timeout=20, check=False
    )
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "Install airflow-provider-pinterest with the extra 'sandbox'" in ended.stderr


def test_the_package_has_no_other_names():
    """A wrong name is an AttributeError, as everywhere."""
    with pytest.raises(AttributeError, match="Sandpit"):
        _ = package.Sandpit


def test_a_sandbox_leaves_nothing_behind(event):
    """After the block its thread and its port are gone, also with a kept-alive connection open."""
    before = threading.active_count()
    with requests.Session() as session:
        with Sandbox() as pinterest:
            assert pinterest.url == f"http://127.0.0.1:{pinterest.port}/v5"
            headers = {"Authorization": f"Bearer {pinterest.token}"}
            url = f"{pinterest.url}/ad_accounts/1/events"
            assert session.post(url, json={"data": [event()]}, headers=headers, timeout=5).ok
        assert threading.active_count() == before
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=5)


def test_a_sandbox_stops_while_calls_wait(pinterest, send, event):
    """Stopping does not wait for a long delay to end."""
    pinterest.fault("delay", seconds=30)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(send, event())
        until(lambda: pinterest._pinterest._in_flight)
        started = time.monotonic()
        pinterest.stop()
        assert time.monotonic() - started < 1
        assert isinstance(waiting.exception(), requests.ConnectionError)


def test_a_sandbox_can_be_started_again():
    """Start, stop, start; twice started or asked when stopped is an error."""
    pinterest = Sandbox()
    for _ in range(2):
        pinterest.start()
        with pytest.raises(RuntimeError, match="already running"):
            pinterest.start()
        assert pinterest.events() == []
        pinterest.stop()
        pinterest.stop()
        with pytest.raises(RuntimeError, match="not running"):
            pinterest.events()


def test_a_taken_port_is_told(pinterest):
    """A port in use is an OSError, and no thread stays."""
    before = threading.active_count()
    with pytest.raises(OSError, match="address already in use"):
        Sandbox(port=pinterest.port).start()
    assert threading.active_count() == before


def test_calls_are_answered_side_by_side(pinterest, send, event):
    """Delayed calls wait together, and the most in flight can be read from the calls."""
    pinterest.fault("delay", seconds=0.1)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: send(event(f"e{n}")).status_code, range(4)))
    assert answers == [200] * 4
    assert max(call.in_flight for call in pinterest.calls()) == 4


def test_a_client_that_hangs_up_while_sending_is_noted(pinterest):
    """Half a request is a call that was not answered and carried nothing."""
    with socket.create_connection(("127.0.0.1", pinterest.port)) as connection:
        head = "POST /v5/ad_accounts/1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
        connection.sendall(head.encode())
        until(lambda: pinterest._pinterest._in_flight)
    until(pinterest.calls)
    (call,) = pinterest.calls()
    assert (call.status, call.fault, call.events) == (0, "client hung up", 0)


def test_the_connection_is_an_airflow_connection(pinterest):
    """The example holds address, token and account, ready for ``AIRFLOW_CONN_PINTEREST_DEFAULT``."""
    assert pinterest.connection("7") == {
        "conn_type": "pinterest",
        "host": pinterest.url,
        "password": "pina_sandbox",
        "extra": {"ad_account_id": "7"},
    }


@pytest.fixture
def command(tmp_path):
    """Start the command on a free port; return the process, the lines it printed and its address."""
    started = []

    def start(*options):
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", "--port-file", tmp_path / "port", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        started.append(process)
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(4)]
        return process, printed, f"http://127.0.0.1:{(tmp_path / 'port').read_text()}"

    yield start
    for process in started:
        process.kill()
        process.communicate()


def refused(*options):
    """Run the command, which must fail with one line, and return that line."""
    ended = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, cwd=REPOSITORY, timeout=20, check=False
    )
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    return line


def pasted(line):
    """Paste a line into a shell, and return the connection that a program started there gets."""
    read = f'{sys.executable} -c \'import os; print(os.environ["AIRFLOW_CONN_PINTEREST_DEFAULT"], end="")\''
    bash = ["/bin/bash", "-c", f"{line}{read}"]
    shell = subprocess.run(bash, capture_output=True, text=True, check=True, timeout=20)
    assert not shell.stderr
    return json.loads(shell.stdout)


def sent_with(connection, event):
    """Send an event over a connection, and return the status."""
    return requests.post(
        f"{connection['host']}/ad_accounts/{connection['extra']['ad_account_id']}/events",
        headers={"Authorization": f"Bearer {connection['password']}".encode("latin-1")},
        json={"data": [event]},
        timeout=5,
    ).status_code


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "::"])  # noqa: S104
def test_the_printed_connection_reaches_it(command, event, host):
    """An address that stands for all of this machine's is printed as one that a client can connect to."""
    _, printed, _ = command("--host", host)
    connection = pasted(printed[2])
    assert connection["host"] == printed[0].removeprefix("Local Pinterest at ").strip()
    assert "0.0.0.0" not in connection["host"]  # noqa: S104
    assert "[::]" not in connection["host"]
    assert sent_with(connection, event()) == 200


@pytest.mark.parametrize(
    "token",
    ["pina_two", "it's", "'; echo '", '"$HOME"', "`id`", "a\\b", "!!", "two words", "%s", "#x", "pina_é"],
)
def test_a_line_can_be_pasted_whatever_it_holds(command, event, token):
    """The shell hands the token on as it was given, and the token works."""
    _, printed, _ = command("--token", token)
    connection = pasted(printed[2])
    assert connection["password"] == token
    if token.isascii():
        assert sent_with(connection, event()) == 200


def test_the_other_line_is_a_command_of_airflow(command, pinterest):
    """It holds the same connection."""
    _, printed, _ = command("--token", "it's")
    words = shlex.split(printed[3])
    assert words[:-1] == ["airflow", "connections", "add", "pinterest_default", "--conn-json"]
    assert json.loads(words[-1]) == pasted(printed[2])


@pytest.mark.parametrize(
    ("options", "token", "account"),
    [
        ((), "pina_sandbox", "549755885175"),
        (("--ad-account", "7", "--ad-account", "8"), "pina_sandbox", "7"),
        (("--token", "pina_two=5,3"), "pina_two", "3"),
        (("--token", "pina_two=3,5", "--ad-account", "5"), "pina_two", "5"),
        (("--token", "pina_two=3", "--token", "pina_three=4"), "pina_two", "3"),
    ],
)
def test_the_printed_connection_may_send(command, event, options, token, account):
    """Its account exists, and its token may use it."""
    _, printed, _ = command(*options)
    connection = pasted(printed[2])
    assert (connection["password"], connection["extra"]) == (token, {"ad_account_id": account})
    assert sent_with(connection, event()) == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--token", "=1"), "--token must be"),
        (("--token", "pina_two="), "--token must be"),
        (("--token", "pina_two=x"), "--token must be"),
        (("--allow-host", "http://pinterest:8765"), "is not a host name"),
        (("--allow-host", "pinterest:8765"), "is not a host name"),
        (("--allow-host", ""), "is not a host name"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(options, message):
    assert message in refused("--port", "0", *options)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(command, event, number):
    """It says where it is and how to connect; a signal ends it within a second, quietly."""
    process, printed, root = command()
    assert printed[0] == f"Local Pinterest at {root}/v5\n"
    connection = pasted(printed[2])
    assert connection["host"] == f"{root}/v5"
    assert sent_with(connection, event()) == 200
    started = time.monotonic()
    process.send_signal(number)
    assert process.wait(5) == 0
    assert time.monotonic() - started < 1
    assert process.communicate() == ("", "")


def test_the_command_takes_every_setting(command, tmp_path, event):
    """Options reach the settings, tokens can be added, and --verbose logs no personal data."""
    process, _, root = command(
        *(
            "--db",
            tmp_path / "received.db",
            "--token",
            "pina_two=1,2",
            "--ad-account",
            "1",
            "--ad-account",
            "3",
        ),
        *("--partial-failure", "200", "--retry-header", "none", "--calls-per-window", "7"),
        *("--window-seconds", "1.5", "--test-calls-per-window", "3", "--test-window-seconds", "2"),
        *(
            "--max-body-bytes",
            "9999",
            "--max-deletion-targets",
            "5",
            "--deletion-pending-seconds",
            "8",
            "--rotate-refresh-token",
            "--no-json",
            "--unknown-fields",
            "accept",
            "--verbose",
        ),
    )
    assert requests.get(f"{root}/sandbox/settings", timeout=5).json() == {
        "partial_failure": "200",
        "retry_header": "none",
        "calls_per_window": 7,
        "window_seconds": 1.5,
        "test_calls_per_window": 3,
        "test_window_seconds": 2.0,
        "max_body_bytes": 9999,
        "max_deletion_targets": 5,
        "deletion_pending_seconds": 8.0,
        "ad_account_ids": ["1", "3"],
        "rotate_refresh_token": True,
        "keep_json": False,
        "unknown_fields": "accept",
    }
    headers = {"Authorization": "Bearer pina_two"}
    statuses = [
        requests.post(
            f"{root}/v5/ad_accounts/{account}/events", headers=headers, json={"data": [event()]}, timeout=5
        ).status_code
        for account in "123"
    ]
    assert statuses == [200, 404, 403]
    process.terminate()
    logged = process.communicate(timeout=5)[1].splitlines()
    assert [line.split(" ", 2)[2] for line in logged] == [
        "POST /v5/ad_accounts/1/events 200 1",
        "POST /v5/ad_accounts/2/events 404 0",
        "POST /v5/ad_accounts/3/events 403 0",
    ]
    assert (tmp_path / "received.db").exists()


def test_the_command_warns_when_others_can_reach_it(command):
    """Only a loopback address goes without a warning."""
    process, _, _ = command("--host", "0.0.0.0")  # noqa: S104
    process.terminate()
    assert "other machines can connect" in process.communicate(timeout=5)[1]


def test_the_command_says_why_it_cannot_start(pinterest):
    """A taken port is one line, not a traceback."""
    assert "cannot start" in refused("--port", str(pinterest.port))
