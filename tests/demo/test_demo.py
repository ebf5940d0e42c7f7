"""The demo runs, adds up, and leaves nothing behind, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@contextlib.contextmanager
def started(temporary: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the demo with a folder of its own for what is temporary."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        # Shells let background jobs ignore Ctrl-C, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    try:
        yield demo
    finally:
        demo.terminate()
        demo.communicate(timeout=30)


def processes_that_mention(text: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if text in command and int(process.name) != os.getpid():
                found.append(command)
    return found


@pytest.mark.timeout(240)
def test_the_demo_adds_up_and_leaves_nothing_behind(tmp_path):
    with started(tmp_path) as demo:
        output, _ = demo.communicate(timeout=200)

    assert demo.returncode == 0, output
    assert "27,200 events sent, the same 27,200 counted" in output
    assert "the same 27,200 are processed in the outcome table" in output
    assert "11,010 rows read, 11,000 already sent, 0 sent" in output
    assert "\033[" not in output
    assert [line for line in output.splitlines() if len(line) > 100] == []
    assert list(tmp_path.iterdir()) == []
    assert processes_that_mention(str(tmp_path)) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_demo_leaves_nothing_behind_when_it_is_ended(tmp_path, number, status):
    with started(tmp_path) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Pinterest   http" in line:
                break
        while not processes_that_mention(str(tmp_path / "")):
            time.sleep(0.05)
        time.sleep(0.5)  # into Airflow's start
        demo.send_signal(number)
        demo.communicate(timeout=30)

    assert demo.returncode == status
    assert list(tmp_path.iterdir()) == []
    assert processes_that_mention(str(tmp_path)) == []


def test_a_folder_that_holds_something_is_not_used(tmp_path):
    (tmp_path / "precious").touch()

    with started(tmp_path, "--keep", str(tmp_path)) as demo:
        output, _ = demo.communicate(timeout=30)

    assert demo.returncode == 1
    assert "not empty" in output
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
