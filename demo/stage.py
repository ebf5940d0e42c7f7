"""The demo's stage: a private folder, a local Pinterest, an Airflow of its own; all gone when it is over."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from demo.run_dags import TaskRun

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

REPOSITORY: Final = Path(__file__).resolve().parent.parent
DAGS: Final = REPOSITORY / "dags"
OWN_DAGS: Final = REPOSITORY / "demo" / "dags"
"""The DAG that only the demo runs; its query uses the templates of the example DAGs."""

AD_ACCOUNT: Final = "549755885175"
TOKEN: Final = "pina_sandbox"  # noqa: S105 - the local Pinterest's own

START_SECONDS: Final = 30
RUN_SECONDS: Final = 150
END_SECONDS: Final = 5


class DemoError(Exception):
    """The demo cannot go on; the message says why, and where more is written."""


class Sandbox(NamedTuple):
    """A running local Pinterest, asked over HTTP.

    :param port: where it listens on 127.0.0.1.
    """

    port: int

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.port}/v5"

    def events(self, **filters: str) -> list[dict[str, Any]]:
        """Return the accepted events as they came."""
        rows = self._get("events", limit="1000000", **filters)["events"]
        return [row["event"] for row in rows]

    def calls(self) -> dict[str, int]:
        """Return how many calls were answered with each HTTP status."""
        counts: dict[str, int] = self._get("calls", limit="0")["by_status"]
        return counts

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        address = f"http://127.0.0.1:{self.port}/sandbox/{path}?{urllib.parse.urlencode(query)}"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever the shell says
        with direct.open(address, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


def check_installation() -> None:
    """Find out whether Airflow and the provider are installed where this Python looks.

    :raises DemoError: one of them is not.
    """
    installed = {point.value.partition(".")[0] for point in entry_points(group="apache_airflow_provider")}
    if "airflow_provider_pinterest" not in installed or find_spec("airflow") is None:
        raise DemoError(
            f"Airflow or this provider is not installed for {sys.executable}. "
            "'make demo' installs both; by hand: pip install apache-airflow -e '.[sandbox]'"
        )


@contextlib.contextmanager
def private_folder(keep: Path | None) -> Iterator[Path]:
    """Make a folder that only this user can read, and remove it afterwards unless it is to be kept."""
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise DemoError(f"{keep} is not empty. Choose a new folder for --keep.")
        yield keep.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="pinterest-demo-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def sandbox(folder: Path) -> Iterator[Sandbox]:
    """Start the local Pinterest on a free port of the loopback interface, and stop it afterwards."""
    port_file, log = folder / "sandbox.port", folder / "sandbox.log"
    command = ["-m", "airflow_provider_pinterest.sandbox", "--port", "0", "--port-file", str(port_file)]
    with child(command, log, os.environ | _IMPORTS) as server:
        deadline = time.monotonic() + START_SECONDS
        while not port_file.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise DemoError(f"the local Pinterest does not start:\n{_tail(log)}")
            time.sleep(0.05)
        yield Sandbox(int(port_file.read_text(encoding="utf-8")))


def run_airflow(
    folder: Path, warehouse: Path, pinterest: Sandbox, runs: Sequence[tuple[str, dt.datetime]]
) -> list[TaskRun]:
    """Run DAGs, each at its time, through an Airflow that lives in ``folder``.

    :raises DemoError: Airflow fell over or took too long. Its log is copied out of ``folder``, which goes
        away.
    """
    home, log = folder / "airflow", folder / "airflow.log"
    home.mkdir()
    dags = lay_out_dags(home / "dags")
    plan, answer = folder / "plan.json", folder / "answer.json"
    when = [(dag_id, moment.isoformat()) for dag_id, moment in runs]
    plan.write_text(json.dumps({"dags_folder": str(dags), "runs": when}), encoding="utf-8")
    environment = airflow_environment(home, warehouse, pinterest, folder / "rejects")
    with child(["-m", "demo.run_dags", str(plan), str(answer)], log, environment) as airflow:
        try:
            status = airflow.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            raise DemoError(f"Airflow has not finished in {RUN_SECONDS} s; its log: {log_kept(log)}") from None
    if status != 0 or not answer.exists():
        raise DemoError(f"Airflow ended with status {status}; its log: {log_kept(log)}\n{_tail(log)}")
    return [TaskRun(**task) for task in json.loads(answer.read_text(encoding="utf-8"))]


def lay_out_dags(folder: Path) -> Path:
    """Copy the example DAGs and the demo's own into one new folder, where Airflow looks for them."""
    for source in (DAGS, OWN_DAGS):
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    return folder


def airflow_environment(home: Path, warehouse: Path, pinterest: Sandbox, rejects: Path) -> dict[str, str]:
    """Return the environment of an Airflow that knows this stage and nothing else of the user's Airflow."""
    ours = {name: value for name, value in os.environ.items() if not name.upper().startswith("AIRFLOW_")}
    return ours | _IMPORTS | connections(warehouse, pinterest.url, rejects) | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }  # fmt: skip


def connections(warehouse: Path, pinterest_url: str, rejects: Path) -> dict[str, str]:
    """Return the connections and the variable that the example DAGs ask for, as Airflow reads them."""
    pinterest = {
        "conn_type": "pinterest",
        "host": pinterest_url,
        "password": TOKEN,
        "extra": {"ad_account_id": AD_ACCOUNT},
    }
    return {
        "AIRFLOW_CONN_PINTEREST_DEFAULT": json.dumps(pinterest),
        "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(warehouse)}),
        "AIRFLOW_VAR_PINTEREST_REJECTS_PATH": str(rejects),
    }


@contextlib.contextmanager
def child(arguments: Sequence[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run this Python with ``arguments``, output to ``log``; end it and its own children afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=REPOSITORY,
            start_new_session=True,  # a group of its own: Ctrl-C reaches us first, and we end the whole group
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a child and everything in its process group: kindly first, and surely even on a second Ctrl-C."""
    try:
        _tell(process, signal.SIGTERM)
    finally:
        _tell(process, signal.SIGKILL)


def _tell(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)


_IMPORTS: Final = {"PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))}
"""Children find the package and the demo wherever the demo is started from."""


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def errors(log: Path, most: int = 5) -> list[str]:
    """Return the last different exceptions that a log ends tracebacks with."""
    lines = re.findall(
        r"^[\w.]*(?:Error|Exception)\b.*", log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
    )
    return list(dict.fromkeys(lines))[-most:]


def log_kept(log: Path) -> Path:
    """Copy Airflow's log out of the folder that goes away, for this user only: it holds connections."""
    number, name = tempfile.mkstemp(prefix="pinterest-demo-", suffix=".log")
    with os.fdopen(number, "wb") as copy:
        copy.write(log.read_bytes())
    return Path(name)
